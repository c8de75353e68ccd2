/** Durations and amounts of memory as people write them: a whole number and its unit, nothing else. */

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const unitMiB = { MiB: 1, GiB: 1_024, TiB: 1_048_576 } as const;

/** `250ms`, `5s`, `15m`, `2h`, `1d`. One unit each: `1h30m` is `90m`, so that a value has one reading. */
export const durationPattern = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$/;

/** `512MiB`, `8GiB`, `1TiB`. Decimal units (`8GB`) are refused, because Xen counts in binary ones. */
export const amountPattern = /^(0|[1-9][0-9]{0,8})(MiB|GiB|TiB)$/;

/** What a message says where a duration should stand. */
export const expectedDuration = 'a duration such as 30s or 5m';

/** What a message says where an amount of memory or disk should stand. */
export const expectedAmount = 'an amount such as 512MiB or 8GiB';

/**
 * Reads a duration.
 *
 * @returns Milliseconds, from 0.
 * @throws RangeError when `text` is not a duration; the message says what was expected.
 */
export function parseDurationMs(text: string): number {
  const [, count, unit] = durationPattern.exec(text) ?? [];
  if (count === undefined || unit === undefined || !isKeyOf(unitMs, unit)) {
    throw new RangeError(`expected ${expectedDuration}, got ${JSON.stringify(text)}`);
  }
  return Number(count) * unitMs[unit];
}

/**
 * Writes a duration in the largest unit that needs no fraction: 90,000 ms is `90s`, 120,000 ms is `2m`.
 *
 * @param durationMs - Whole milliseconds, from 0.
 */
export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs >= unitMs[unit] && durationMs % unitMs[unit] === 0) {
      return `${durationMs / unitMs[unit]}${unit}`;
    }
  }
  return durationMs === 0 ? '0s' : `${durationMs}ms`;
}

/**
 * Reads an amount of memory or disk.
 *
 * @returns MiB, from 0.
 * @throws RangeError when `text` is not an amount; the message says what was expected.
 */
export function parseAmountMiB(text: string): number {
  const [, count, unit] = amountPattern.exec(text) ?? [];
  if (count === undefined || unit === undefined || !isKeyOf(unitMiB, unit)) {
    throw new RangeError(`expected ${expectedAmount}, got ${JSON.stringify(text)}`);
  }
  return Number(count) * unitMiB[unit];
}

function isKeyOf<T extends object>(table: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(table, key);
}
