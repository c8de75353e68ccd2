/** What is told of a storm at three in the morning: when, by what, from what, ahead of what, until when. */

import { expect, test } from 'vitest';
import { explain } from '../../src/scaler/explain.ts';
import { startLab } from '../control/lab.ts';
import { makeTier } from '../control/site.ts';

const tier = makeTier({
  looksAhead: true,
  maxNodes: 100,
  scaleOut: { tolerance: 0, policies: [] },
  scaleIn: { tolerance: 0, stabilizationWindowMs: 'auto', policies: [] },
});

/** What it says of the storm, a second at a time: the rate rises from 400 rps by `rpsPerSecond` up to 4,000 rps, then falls. */
async function toldIn(
  rpsPerSecond: number,
  seconds: number,
  fallSeconds = 0,
): Promise<readonly string[]> {
  await using lab = startLab({ tier, nodes: 6, rps: 400 });
  await lab.clock.step(120_000);
  const fromMs = lab.log.of('tier-ticked').at(-1)!.observation.atMs;
  for (let second = 1; second <= seconds; second += 1) {
    lab.world.rps = Math.min(4_000, 400 + rpsPerSecond * second);
    await lab.clock.step(1_000);
  }
  for (let second = 1; second <= fallSeconds; second += 1) {
    lab.world.rps -= 200;
    await lab.clock.step(1_000);
  }
  const formatTime = (atMs: number): string => `${Math.round((atMs - fromMs) / 1_000)} s`;
  const record = lab.log.of('tier-ticked').at(-1)!;
  const { headline, steps } = explain({ ...record, formatTime });
  return [headline, ...steps.filter(({ stage }) => stage === 'storm').map(({ text }) => text)];
}

test('a front is told by the reading that gave it away, and what is wanted ahead of it', async () => {
  const [headline, ...told] = await toldIn(600, 3);
  expect(headline).toContain('ahead of a storm');
  expect(told).toEqual([
    'A storm began at about -2 s, from 400 rps. It was detected at 1 s by the request rate: 1000 rps came where 400 ± 20 rps were foreseen, 30 times that deviation more; more than 15 in sum are an alarm.',
    expect.stringMatching(
      /^Ahead of it, nodes are wanted for the [\d.]+ rps that are foreseen in 60 s\. It is over when less than 420 rps come, without their noise, and at 598 s at the latest; nodes go before, when less is foreseen\.$/,
    ),
  ]);
});

test('a ramp is told by what its readings came to, from what came at its onset', async () => {
  const [, told] = await toldIn(20, 8);
  expect(told).toBe(
    'A storm began at about 0 s, from 400 rps. It was detected at 7 s by the request rate: 540 rps came where 433 ± 20.8 rps were foreseen, 5.14 times that deviation more; in the last 7 s it was 19.4 in sum, and more than 15 in sum are an alarm.',
  );
});

test('one that falls orders nothing ahead, and says until when it is one', async () => {
  const [, , told] = await toldIn(600, 20, 5);
  expect(told).toBe(
    'It is not expected to grow any more, and nothing is ordered ahead of it. It is over when less than 420 rps come, without their noise, and at 598 s at the latest; nodes go before, when less is foreseen.',
  );
});
