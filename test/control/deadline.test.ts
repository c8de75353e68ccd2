import { expect, test } from 'vitest';
import { within } from '../../src/control/deadline.ts';
import { UnreachableError } from '../../src/control/errors.ts';
import { TestClock } from './test-clock.ts';

const late = (): Error => new UnreachableError('too late');
const never = (): Promise<never> => new Promise(() => undefined);

test('work that ends in time gives its result, and nothing of the deadline is left', async () => {
  const clock = new TestClock();
  const signal = new AbortController().signal;
  await expect(within({ clock, ms: 100, late }, signal, async () => 'done')).resolves.toBe('done');
  expect(clock.sleepers).toBe(0);
});

test('work that takes longer is given up at the deadline, also when it heeds no signal', async () => {
  const clock = new TestClock();
  let given: AbortSignal | undefined;
  const result = within({ clock, ms: 100, late }, new AbortController().signal, (signal) => {
    given = signal;
    return never();
  });
  const outcome = result.catch((error: unknown) => error);
  await clock.step(99);
  expect(given?.aborted).toBe(false);
  await clock.step(1);
  expect(await outcome).toBeInstanceOf(UnreachableError);
  expect(given?.aborted).toBe(true);
});

test('an aborted signal ends the work at once, with its reason', async () => {
  const clock = new TestClock();
  const stop = new AbortController();
  const result = within({ clock, ms: 100, late }, stop.signal, never);
  stop.abort(new Error('stopped'));
  await expect(result).rejects.toThrow('stopped');
  expect(clock.sleepers).toBe(0);
});

test('work is not even begun when the signal is aborted already', async () => {
  const stop = AbortSignal.abort(new Error('stopped'));
  let begun = false;
  const result = within({ clock: new TestClock(), ms: 100, late }, stop, async () => {
    begun = true;
  });
  await expect(result).rejects.toThrow('stopped');
  expect(begun).toBe(false);
});
