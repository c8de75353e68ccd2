import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/control/errors.ts';
import { stormCurve, traceCurve } from '../../src/embedded/rate-curve.ts';

const storm = {
  baseRps: 100,
  peakRps: 600,
  leadSeconds: 30,
  rampSeconds: 10,
  holdSeconds: 60,
  fallSeconds: 20,
  tailSeconds: 40,
};

/** Rows from a rate per second, one row each `step` seconds. */
function secondsCsv(lengthSeconds: number, rpsAt: (second: number) => number, step = 1): string {
  const rows = ['second,rps'];
  for (let second = 0; second < lengthSeconds; second += step) {
    rows.push(`${second},${rpsAt(second)}`);
  }
  return `${rows.join('\n')}\n`;
}

describe('stormCurve', () => {
  test.each([
    { at: -1, rps: 100 },
    { at: 0, rps: 100 },
    { at: 30, rps: 100 },
    { at: 35, rps: 350 },
    { at: 40, rps: 600 },
    { at: 100, rps: 600 },
    { at: 110, rps: 350 },
    { at: 120, rps: 100 },
    { at: 160, rps: 100 },
    { at: 1_000, rps: 100 },
  ])('is $rps rps at $at s', ({ at, rps }) => {
    expect(stormCurve(storm).rateAt(at)).toBeCloseTo(rps, 9);
  });

  test('lasts as long as its parts and starts at its base', () => {
    expect(stormCurve(storm)).toMatchObject({ durationSeconds: 160, startRps: 100 });
  });

  test('with a ramp of no length is a wall', () => {
    const { rateAt } = stormCurve({ ...storm, rampSeconds: 0 });
    expect([rateAt(29.999), rateAt(30)]).toEqual([100, 600]);
  });

  test('never leaves the range from base to peak', () => {
    const seconds = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(
        seconds,
        seconds,
        seconds,
        fc.double({ noNaN: true, min: -10, max: 500 }),
        (ramp, hold, fall, at) => {
          const curve = stormCurve({
            ...storm,
            rampSeconds: ramp,
            holdSeconds: hold,
            fallSeconds: fall,
          });
          expect(curve.rateAt(at)).toBeGreaterThanOrEqual(100);
          expect(curve.rateAt(at)).toBeLessThanOrEqual(600);
        },
      ),
    );
  });
});

describe('traceCurve', () => {
  test('shows the greatest rise in the middle of its 18 minutes, its peak scaled', () => {
    // A small storm in the first hour, a great one in the second: 500 → 2,500 from 5,000 s to 5,200 s.
    const csv = secondsCsv(7_200, (second) => {
      if (second >= 1_000 && second < 1_600) {
        return 1_500;
      }
      return 500 + 2_000 * Math.min(Math.max((second - 5_000) / 200, 0), 1);
    });
    const curve = traceCurve(csv, { peakRps: 800, compress: 6 });

    expect(curve.durationSeconds).toBe(180);
    expect(Math.abs(curve.windowStartSecond + 540 - 5_100)).toBeLessThan(70);
    expect(curve.startRps).toBeCloseTo(160, 6);
    expect(curve.rateAt(180)).toBeCloseTo(800, 6);
    // Halfway up in the trace at 5,100 s, in the replay a sixth as far from its start; rows are steps, so
    // the trace runs half a row, 5 rps, behind the line.
    expect(curve.rateAt((5_100 - curve.windowStartSecond) / 6)).toBeCloseTo(478.4, 6);
  });

  test('compression changes the time, never the rate', () => {
    const csv = secondsCsv(3_600, (second) => 1_000 + (second % 1_200));
    const slow = traceCurve(csv, { peakRps: 500, compress: 1 });
    const fast = traceCurve(csv, { peakRps: 500, compress: 10 });

    expect(slow.durationSeconds).toBe(1_080);
    expect(fast.durationSeconds).toBe(108);
    for (const second of [0, 10, 50, 108]) {
      expect(fast.rateAt(second)).toBeCloseTo(slow.rateAt(second * 10), 6);
    }
  });

  test('joins the middles of rows of five minutes by straight lines', () => {
    const rows = [30_000, 30_000, 60_000, 120_000].map((requests, row) => `${row * 5},${requests}`);
    const curve = traceCurve(['minute,requests', ...rows].join('\n'), {
      peakRps: 400,
      compress: 1,
    });

    // Rows of 100, 100, 200 and 400 rps; the window is the trace's last 18 of 20 minutes.
    expect(curve.windowStartSecond).toBe(120);
    expect(curve.rateAt(750 - 120)).toBeCloseTo((200 / 400) * 400, 6);
    expect(curve.rateAt(900 - 120)).toBeCloseTo((300 / 400) * 400, 6);
  });

  test('does not blow up the noise of a sparse log: five requests a second stay about even', () => {
    let state = 1;
    const csv = secondsCsv(7_200, () => {
      state = (state * 16_807) % 2_147_483_647;
      return state % 11;
    });
    const curve = traceCurve(csv, { peakRps: 800, compress: 1 });

    // The rows go from 0 to 10; a mean of 200 of them has a standard deviation of 4.5 %.
    for (let second = 0; second <= 1_080; second += 1) {
      expect(curve.rateAt(second)).toBeGreaterThan(550);
    }
  });

  test('replays a trace shorter than the window whole, and one that only falls from its start', () => {
    const short = traceCurve(
      secondsCsv(600, (second) => 1_000 + second),
      { peakRps: 10, compress: 2 },
    );
    expect(short).toMatchObject({ windowStartSecond: 0, durationSeconds: 300 });

    const falling = traceCurve(
      secondsCsv(4_000, (second) => 9_000 - second),
      { peakRps: 10, compress: 1 },
    );
    expect(falling).toMatchObject({ windowStartSecond: 0, durationSeconds: 1_080, startRps: 10 });
  });

  test('reaches the peak exactly and is never negative, whatever the trace', () => {
    const rows = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 2, maxLength: 300 });
    fc.assert(
      fc.property(
        rows.filter((rps) => rps.some((value) => value > 0)),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 20 }),
        (rps, step, compress) => {
          const csv = secondsCsv(rps.length * step, (second) => rps[second / step] ?? 0, step);
          let curve: ReturnType<typeof traceCurve>;
          try {
            curve = traceCurve(csv, { peakRps: 800, compress });
          } catch (error) {
            // A trace may be silent for all of its greatest rise's neighborhood only if it never rises.
            expect(error).toBeInstanceOf(ConfigError);
            return;
          }
          let highestRps = 0;
          const seconds = Math.round(curve.durationSeconds * compress);
          for (let second = 0; second <= seconds; second += 1) {
            const rate = curve.rateAt(second / compress);
            expect(rate).toBeGreaterThanOrEqual(0);
            highestRps = Math.max(highestRps, rate);
          }
          expect(highestRps).toBeCloseTo(800, 3);
        },
      ),
      { numRuns: 100 },
    );
  });

  test.each([
    { csv: '', why: 'line 1: expected the header second,rps or minute,requests, found ""' },
    { csv: 'time,rate\n0,1\n', why: 'line 1: expected the header second,rps or minute,requests' },
    { csv: 'second,rps\n', why: 'line 2: expected at least two rows' },
    { csv: 'second,rps\n0,1\n', why: 'line 3: expected at least two rows' },
    { csv: 'second,rps\n0,1\n1,two\n', why: 'line 3: expected two numbers of at least 0' },
    { csv: 'second,rps\n0,1\n1,-2\n', why: 'line 3: expected two numbers of at least 0' },
    { csv: 'second,rps\n0,1\n1\n', why: 'line 3: expected two numbers of at least 0' },
    { csv: 'second,rps\n0,1\n\n2,1\n', why: 'line 3: expected two numbers of at least 0' },
    {
      csv: `second,rps\n0,1\n1,${'9'.repeat(400)}\n`,
      why: 'line 3: expected numbers of at most 1000000000000, found "1,9',
    },
    { csv: 'second,rps\n0,1\n5,1\n5,1\n', why: 'line 4: expected a time after 5, found 5' },
    { csv: 'minute,requests\n0,1\n5,1\n4,1\n', why: 'line 4: expected a time after 5, found 4' },
    { csv: 'second,rps\n0,0\n1,0\n', why: 'no requests' },
  ])('refuses $csv', ({ csv, why }) => {
    const read = (): unknown => traceCurve(csv, { peakRps: 800, compress: 6 });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(why);
  });

  test('reads lines that end as on Windows, and empty ones at the end', () => {
    const csv = `\uFEFF${secondsCsv(100, (second) => second).replaceAll('\n', '\r\n')}\r\n`;
    expect(traceCurve(csv, { peakRps: 800, compress: 1 }).durationSeconds).toBe(100);
  });

  test.each([
    { peakRps: 0, compress: 1 },
    { peakRps: 800, compress: 0 },
    { peakRps: Number.NaN, compress: 1 },
  ])('refuses a peak of $peakRps with a compression of $compress', (options) => {
    expect(() => traceCurve('second,rps\n0,1\n1,1\n', options)).toThrow(ConfigError);
  });
});
