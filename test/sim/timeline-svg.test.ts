import { expect, test } from 'vitest';
import { drawTimeline } from '../../src/sim/timeline-svg.ts';

const SECONDS = 92;

/** 92 seconds on 920 pixels: each is ten wide. */
function draw(changes: { supply?: Float64Array; demand?: Float64Array; other?: Float64Array }) {
  const flat = new Float64Array(SECONDS).fill(4);
  const none = new Float64Array(SECONDS);
  const { supply = flat, demand = flat, other } = changes;
  return drawTimeline(
    { title: 'a < b', fromSecond: 0, seconds: SECONDS },
    {
      demand,
      supply,
      ordered: flat,
      waiting: none,
      dropped: none,
      ...(other === undefined ? {} : { otherSupply: other }),
    },
  );
}

/** 4 nodes, 8 from a second on. */
function stepAt(second: number): Float64Array {
  return Float64Array.from({ length: SECONDS }, (_, at) => (at < second ? 4 : 8));
}

function pointsOf(svg: string, color: string): string | undefined {
  return new RegExp(`<polyline fill="none" stroke="${color}"[^>]* points="([^"]*)"`).exec(svg)?.[1];
}

test('a line of which nothing changes is its two ends', () => {
  expect(pointsOf(draw({}), '#2060c0')).toBe('60,160.7 979,160.7');
});

test('a step stays upright, between the seconds that it lies between', () => {
  // The highest is 8, and 10 stand on the axis.
  expect(pointsOf(draw({ supply: stepAt(46), demand: stepAt(46) }), '#2060c0')).toBe(
    '60,238.0 519,238.0 520,122.0 979,122.0',
  );
});

test('what is missing is red, from the supply up to the demand, and only where it is', () => {
  expect(draw({})).toContain('stroke="#f08080" stroke-width="1" d=""');
  const short = draw({ demand: stepAt(91) });
  const strokes = /stroke="#f08080" stroke-width="1" d="([^"]*)"/.exec(short)?.[1] ?? '';
  expect(strokes.split('M').slice(1)).toEqual(
    Array.from({ length: 10 }, (_, pixel) => `${970 + pixel} 122.0V238.0`),
  );
});

test('the supply of another run is a line of its own, and stands in the legend', () => {
  expect(draw({})).not.toContain('other config');
  const svg = draw({ other: stepAt(46) });
  expect(svg).toContain('■ supply of the other config');
  expect(pointsOf(svg, '#30a050')).toBe('60,238.0 519,238.0 520,122.0 979,122.0');
});

test('where no request waited, that is said; a title is text', () => {
  expect(draw({})).toContain('no request waited, none was dropped');
  expect(draw({})).toContain('a &lt; b');
});
