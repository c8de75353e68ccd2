import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import { InFlight } from '../../src/control/in-flight.ts';
import type { BalancerSnapshot, ServerChange } from '../../src/control/ports.ts';
import { Reassertion } from '../../src/control/reassertion.ts';
import type { Term } from '../../src/scaler/term.ts';
import { EventLog } from './event-log.ts';
import { makeTier } from './site.ts';
import { TestClock } from './test-clock.ts';

const TERM: Term = { createdAtSeconds: 1, transitions: 0 };
const never = new AbortController().signal;
const unchanged: BalancerSnapshot = { epoch: '1', oldWorkers: false, backends: new Map() };

/** A reassertion, with what it sets; who leads, and whether its balancer answers, are the test's to say. */
function watchReassertion(): {
  /** Lets it see a snapshot, and resolves when all that follows from it has been done. */
  readonly see: (snapshot?: BalancerSnapshot) => Promise<boolean>;
  readonly set: readonly (readonly ServerChange[])[];
  readonly state: { term: Term | undefined; answers: boolean | 'never' };
} {
  const set: (readonly ServerChange[])[] = [];
  const state: { term: Term | undefined; answers: boolean | 'never' } = {
    term: TERM,
    answers: true,
  };
  const reassertion = new Reassertion({
    balancer: {
      name: 'lb',
      inspect: async () => unchanged,
      setServers: async (changes) => {
        set.push(changes);
        if (state.answers === 'never') {
          await new Promise<never>(() => undefined);
        } else if (!state.answers) {
          throw new UnreachableError('lb is silent');
        }
      },
    },
    tiers: [makeTier()],
    inFlight: new InFlight(() => undefined),
    leadership: { term: () => state.term },
    clock: new TestClock(),
    recorder: new EventLog(),
  });
  const see = async (snapshot = unchanged): Promise<boolean> => {
    const isTrue = await reassertion.restore(snapshot, never);
    await turn();
    return isTrue;
  };
  return { see, set, state };
}

test('states that a killed leader set are made to survive a reload once, though nothing is to be changed', async () => {
  const { see, set } = watchReassertion();
  expect(await see()).toBe(true);
  expect(set).toEqual([[]]);
  await see();
  expect(set).toHaveLength(1);
});

test('a balancer that does not answer is asked again, and what it shows counts all the same', async () => {
  const { see, set, state } = watchReassertion();
  state.answers = false;
  expect(await see()).toBe(true);
  state.answers = true;
  await see();
  await see();
  expect(set).toEqual([[], []]);
});

test('as long as the balancer warns it is tried again', async () => {
  const { see, set } = watchReassertion();
  await see({ ...unchanged, warnings: ['the state file cannot be written'] });
  await see({ ...unchanged, warnings: ['the state file cannot be written'] });
  await see();
  expect(set).toEqual([[], []]);
});

test('who does not lead leaves it to the leader, and who leads again does it again', async () => {
  const { see, set, state } = watchReassertion();
  state.term = undefined;
  expect(await see()).toBe(true);
  expect(set).toEqual([]);
  state.term = TERM;
  await see();
  state.term = undefined;
  await see();
  state.term = TERM;
  await see();
  expect(set).toEqual([[], []]);
});

test('a balancer that never answers holds nobody up, and is not asked twice at a time', async () => {
  const { see, set, state } = watchReassertion();
  state.answers = 'never';
  expect(await see()).toBe(true);
  expect(await see()).toBe(true);
  expect(set).toHaveLength(1);
});
