/** What no real Prometheus says on demand is answered by servers in this process; test/cli/backtest.test.ts asks a real one. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, UnreachableError } from '../../src/control/errors.ts';
import { MOST_POINTS, readHistory, splitRange } from '../../src/signals/prometheus-history.ts';

const FROM_MS = 1_790_000_000_000;
const DAY_MS = 86_400_000;

describe('a range in parts', () => {
  test.each<readonly [points: number, parts: readonly number[]]>([
    [1, [1]],
    [MOST_POINTS - 1, [MOST_POINTS - 1]],
    [MOST_POINTS, [MOST_POINTS]],
    [MOST_POINTS + 1, [MOST_POINTS, 1]],
    [3 * MOST_POINTS, [MOST_POINTS, MOST_POINTS, MOST_POINTS]],
    // Two weeks of 15 s.
    [80_641, [...Array.from({ length: 7 }, () => MOST_POINTS), 3_641]],
  ])('%i moments', (points, sizes) => {
    const stepMs = 15_000;
    const parts = splitRange({ fromMs: FROM_MS, untilMs: FROM_MS + (points - 1) * stepMs, stepMs });
    expect(parts.map(({ fromMs, untilMs }) => (untilMs - fromMs) / stepMs + 1)).toEqual(sizes);
  });

  test('asks for each moment of the grid once, and never for more than Prometheus gives', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20 * DAY_MS }),
        fc.integer({ min: 1, max: 300 }),
        (lengthMs, stepSeconds) => {
          const stepMs = stepSeconds * 1_000;
          const parts = splitRange({ fromMs: FROM_MS, untilMs: FROM_MS + lengthMs, stepMs });
          let nextMs = FROM_MS;
          for (const { fromMs, untilMs } of parts) {
            expect(fromMs).toBe(nextMs);
            expect((untilMs - fromMs) % stepMs).toBe(0);
            expect((untilMs - fromMs) / stepMs).toBeLessThan(MOST_POINTS);
            nextMs = untilMs + stepMs;
          }
          expect(nextMs).toBeGreaterThan(FROM_MS + lengthMs);
          expect(nextMs - stepMs).toBeLessThanOrEqual(FROM_MS + lengthMs);
        },
      ),
    );
  });
});

type Answer = (start: number, end: number) => readonly [status: number, body: string];

/** Asks a server that answers like this for an hour, or so many seconds, at steps of a second. */
async function ask(answer: Answer, seconds = 3_600, path = '') {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    asked.push(url.pathname);
    const [status, body] = answer(
      Number(url.searchParams.get('start')),
      Number(url.searchParams.get('end')),
    );
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const parts: number[] = [];
  try {
    const rates = await readHistory({
      url: `http://127.0.0.1:${port}${path}`,
      query: 'site_rps',
      fromMs: FROM_MS,
      untilMs: FROM_MS + seconds * 1_000,
      stepMs: 1_000,
      onPart: (part) => parts.push(part),
    });
    return { rates, parts, asked };
  } finally {
    server.close();
  }
}

function matrix(
  series: readonly (readonly [
    metric: Readonly<Record<string, string>>,
    values: readonly (readonly [number, string])[],
  ])[],
): readonly [number, string] {
  const result = series.map(([metric, values]) => ({ metric, values }));
  return [200, JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } })];
}

function refusal(status: number, errorType: string, error: string): Answer {
  return () => [status, JSON.stringify({ status: 'error', errorType, error })];
}

test('the parts of a long range come together, in the order of time, and each is told', async () => {
  const { rates, parts, asked } = await ask(
    (start, end) =>
      matrix([
        [
          {},
          [
            [start, '1'],
            [end, '2.5'],
          ],
        ],
      ]),
    2 * MOST_POINTS,
    '/prometheus/',
  );
  expect(rates.map(({ atMs, rps }) => [(atMs - FROM_MS) / 1_000, rps])).toEqual([
    [0, 1],
    [MOST_POINTS - 1, 2.5],
    [MOST_POINTS, 1],
    [2 * MOST_POINTS - 1, 2.5],
    [2 * MOST_POINTS, 1],
    [2 * MOST_POINTS, 2.5],
  ]);
  expect(parts).toEqual([1, 2, 3]);
  expect(new Set(asked)).toEqual(new Set(['/prometheus/api/v1/query_range']));
});

test('a part in which nothing was recorded is a gap, and no error', async () => {
  const { rates } = await ask(
    (start) => matrix(start === FROM_MS / 1_000 ? [] : [[{}, [[start, '7']]]]),
    MOST_POINTS,
  );
  expect(rates).toEqual([{ atMs: FROM_MS + MOST_POINTS * 1_000, rps: 7 }]);
});

const growing = Array.from({ length: 62 }, (_, index): [number, string] => {
  return [FROM_MS / 1_000 + index, String(index * 100)];
});
const reset = growing.map(([at, value], index): [number, string] => {
  return [at, index === 30 ? '3' : value];
});

test.each<
  readonly [
    situation: string,
    answer: Answer,
    error: typeof ConfigError | typeof UnreachableError,
    says: string,
  ]
>([
  [
    'it is overloaded',
    refusal(503, 'timeout', 'query timed out in expression evaluation'),
    UnreachableError,
    'fails (503 timeout: "query timed out in expression evaluation")',
  ],
  [
    'something before it is',
    () => [502, '<html>\u001B[31mBad Gateway</html>'],
    UnreachableError,
    'is no Prometheus: status 502, "<html>\\u001b[31mBad Gateway</html>"',
  ],
  ['another path', () => [404, ''], UnreachableError, 'status 404, nothing else; expected the URL'],
  ['a web page', () => [200, '<html>'], UnreachableError, 'is no Prometheus: status 200'],
  [
    'the query takes too much',
    refusal(422, 'execution', 'query processing would load too many samples'),
    ConfigError,
    'refuses the query "site_rps" (422 execution: "query processing would load too many samples")',
  ],
  [
    'another series later',
    (start) => matrix([[{ pod: start === FROM_MS / 1_000 ? 'a' : 'b' }, [[start, '7']]]]),
    ConfigError,
    'gives several series, {pod="a"} and {pod="b"}: one is needed, such as sum(site_rps)',
  ],
  [
    'a negative rate',
    (start) => matrix([[{}, [[start, '-1']]]]),
    ConfigError,
    'gives "-1" at 2026-',
  ],
  ['infinity', (start) => matrix([[{}, [[start, '+Inf']]]]), ConfigError, 'gives "+Inf" at 2026-'],
  [
    'a value that only grows',
    (start) => matrix(start === FROM_MS / 1_000 ? [[{}, growing]] : []),
    ConfigError,
    'gives a count, not a rate',
  ],
  [
    'a value that grows, with a reset',
    (start) => matrix(start === FROM_MS / 1_000 ? [[{}, reset]] : []),
    ConfigError,
    'grew 60 times',
  ],
])('is refused with what was expected: %s', async (_, answer, error, says) => {
  const failed = await ask(answer, MOST_POINTS).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(failed).toBeInstanceOf(error);
  expect((failed as Error).message).toContain(says);
});

test('a rate that grows for long and falls a little once is a rate', async () => {
  const wavering = growing.map(([at, value], index): [number, string] => {
    return [at, index === 30 ? '2850' : value];
  });
  expect((await ask(() => matrix([[{}, wavering]]))).rates).toHaveLength(62);
});

test.each([
  'ftp://127.0.0.1',
  'localhost',
  'http://user:secret@127.0.0.1',
  'http://127.0.0.1/?a=1',
])('a URL with more, or less, than a place is refused, and not repeated: %s', async (url) => {
  const question = { url, query: 'site_rps', fromMs: 0, untilMs: 60_000, stepMs: 1_000 };
  const failed = await readHistory(question).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(ConfigError);
  expect((failed as Error).message).toContain('as http://127.0.0.1:9090, without user');
  expect((failed as Error).message).not.toContain('secret');
});
