import type { Moment } from './timeline.ts';

const WIDTH = 72;
const HEIGHT = 12;

/**
 * Draws rate and capacity over time in characters: `█` what the nodes in service are rated for, `•` what
 * visitors asked for. Where a dot stands above the blocks, the site was short of nodes.
 */
export function drawChart(timeline: readonly Moment[], ratedPerNodeRps: number): string {
  const last = timeline.at(-1);
  if (last === undefined) {
    return '';
  }
  // The last moment at or before each column's time; moments are not evenly spaced.
  const columns = Array.from({ length: WIDTH }, (_, column) => {
    const seconds = (column / (WIDTH - 1)) * last.atSeconds;
    return timeline.findLast((moment) => moment.atSeconds <= seconds) ?? last;
  });
  const capacityOf = (moment: Moment): number => moment.nodesInService * ratedPerNodeRps;
  const topRps = Math.max(
    1,
    ...timeline.map((moment) => Math.max(moment.intendedRps, capacityOf(moment))),
  );
  const rowOf = (rps: number): number => Math.round((rps / topRps) * HEIGHT);
  const lines: string[] = [];
  for (let row = HEIGHT; row >= 1; row -= 1) {
    const label = `${Math.round((row / HEIGHT) * topRps)}`.padStart(6);
    const cells = columns.map((moment) => {
      if (rowOf(moment.intendedRps) === row) {
        return '•';
      }
      return rowOf(capacityOf(moment)) >= row ? '█' : ' ';
    });
    lines.push(`${row % 3 === 0 ? label : ' '.repeat(6)} ┤${cells.join('')}`);
  }
  const end = `${Math.round(last.atSeconds)} s`;
  lines.push(`${' '.repeat(7)}└${'─'.repeat(WIDTH)}`);
  lines.push(`${' '.repeat(8)}0 s${end.padStart(WIDTH - 3)}`);
  lines.push(`${' '.repeat(8)}• requests per second   █ what the nodes in service are rated for`);
  return lines.join('\n');
}
