/** Journals in a directory of their own, and what is to be kept in them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/control/clock.ts';
import type { EventRecord, TierTicked } from '../../src/control/events.ts';
import type { JournalHealth } from '../../src/control/ports.ts';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import type { Observation } from '../../src/scaler/observation.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { type FileJournal, type JournalOptions, openJournal } from '../../src/store/journal.ts';
import { observationOf, webTier } from '../scaler/world.ts';

export const WALL_MS = 1_790_000_000_000;
export const DAY_MS = 86_400_000;
/** The tier of `webTier`. */
export const WEB = 'news/web';
/** The journal's second, for tests in a hurry. */
const PACE_MS = 20;
/** A busy machine takes its time; whatever is waited for takes a few paces. */
const DEADLINE_MS = 20_000;

/** `await using place = new Place()`: journals that are left open are closed, the directory is removed. */
export class Place implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'rackfire-journal-'));
  readonly path = join(this.directory, 'journal.db');
  readonly #open: FileJournal[] = [];

  open(options: Partial<JournalOptions> = {}): Subject {
    const subject = new Subject({ path: this.path, ...options });
    this.#open.push(subject.journal);
    return subject;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const journal of this.#open) {
      await journal.close();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A journal with its clock, and all that it has said of itself. */
export class Subject {
  wallMs = WALL_MS;
  readonly healths: JournalHealth[] = [];
  readonly journal: FileJournal;
  readonly #waiting = new Set<() => void>();

  constructor(options: Partial<JournalOptions> & { readonly path: string }) {
    const clock: Clock = {
      steadyMs: () => this.wallMs,
      wallMs: () => this.wallMs,
      sleep: async () => undefined,
    };
    this.journal = openJournal({
      retentionMs: 30 * DAY_MS,
      maxBytes: 2 ** 30,
      paceMs: PACE_MS,
      clock,
      onHealth: (health) => {
        this.healths.push(health);
        for (const look of this.#waiting) {
          look();
        }
      },
      ...options,
    });
  }

  /** What it says, from the one after those that have been heard on. */
  async hear(
    state: JournalHealth['state'],
    why: RegExp | undefined,
    after = 0,
  ): Promise<JournalHealth> {
    const { promise, resolve, reject } = Promise.withResolvers<JournalHealth>();
    const look = (): void => {
      const said = this.healths
        .slice(after)
        .find((health) => health.state === state && matches(health.why, why));
      if (said !== undefined) {
        resolve(said);
      }
    };
    const timer = setTimeout(() => {
      const heard = this.healths.map((health) => `${health.state}: ${health.why}`).join('; ');
      reject(new Error(`not said in time: ${state} ${String(why)}; but: ${heard}`));
    }, DEADLINE_MS);
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  /** One event, a millisecond after the last one. */
  say(msg: string, fields: EventRecord['fields'] = {}): void {
    this.wallMs += 1;
    this.journal.appendEvent({ atMs: this.wallMs, level: 'info', msg, fields });
  }

  async messages(): Promise<readonly string[]> {
    return (await this.journal.events({ limit: 1_000 })).map(({ msg }) => msg);
  }
}

function matches(why: string | undefined, hoped: RegExp | undefined): boolean {
  return hoped === undefined ? why === undefined : hoped.test(why ?? '');
}

/** Asks until the answer is as hoped. */
export async function until<T>(
  question: () => Promise<T> | T,
  isHoped: (answer: T) => boolean,
): Promise<T> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await question();
    if (isHoped(answer)) {
      return answer;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`not in time; last: ${JSON.stringify(answer)}`);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 5);
    await promise;
  }
}

/** A real tick of `observationOf`. */
export function tickOf(
  changes: Partial<Observation> = {},
  memory: TierMemory = EMPTY_MEMORY,
  tier: ScaledTier = TIER,
): TierTicked {
  const observation = observationOf(changes);
  const tick = tickTier(tier, 'full', observation, memory);
  return { type: 'tier-ticked', tier, mode: 'full', observation, memory, tick };
}

const TIER = webTier();
