/** A run as a picture: demand, supply and what was ordered above; the queue and what was dropped below. */

type Series = Uint16Array | Float64Array;

export interface TimelineSeries {
  /** Nodes of each second. */
  readonly demand: Series;
  readonly supply: Series;
  readonly ordered: Series;
  /** Supply of the run that is compared. */
  readonly otherSupply?: Series;
  /** Requests that wait at the end of each second, and those dropped in it. */
  readonly waiting: Series;
  readonly dropped: Series;
}

interface Shown {
  readonly title: string;
  readonly fromSecond: number;
  readonly seconds: number;
}

/** A part of the picture with an axis of its own. */
interface Panel {
  readonly top: number;
  readonly height: number;
  readonly highest: number;
  readonly unit: string;
}

const OTHER_COLOR = '#30a050';
const SHORTAGE_COLOR = '#f08080';
const WIDTH = 1_000;
const LEFT = 60;
const PLOT_WIDTH = 920;
const TOP: Omit<Panel, 'highest'> = { top: 64, height: 290, unit: 'nodes' };
const BOTTOM: Omit<Panel, 'highest'> = { top: 390, height: 110, unit: 'requests' };
const HEIGHT = 540;

/** @returns An SVG document of 1000 × 540. */
export function drawTimeline(shown: Shown, series: TimelineSeries): string {
  const { otherSupply = series.supply } = series;
  const isCompared = series.otherSupply !== undefined;
  const cut = (values: Series): Series =>
    values.subarray(shown.fromSecond, shown.fromSecond + shown.seconds);
  const counts = [series.demand, series.ordered, otherSupply].map(cut);
  const nodes = { ...TOP, highest: niceAbove(highestOf(...counts)) };
  const mostRequests = highestOf(cut(series.waiting), cut(series.dropped));
  const requests = { ...BOTTOM, highest: niceAbove(mostRequests) };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${escapeXml(shown.title)}</text>`,
    legend(isCompared),
    axes(nodes),
    axes(requests),
    mostRequests > 0 ? '' : nothing(requests),
    hours(shown),
    shortage(cut(series.demand), cut(series.supply), nodes),
    line(cut(series.ordered), nodes, '#f0a030', 1),
    isCompared ? line(cut(otherSupply), nodes, OTHER_COLOR, 1.5) : '',
    line(cut(series.supply), nodes, '#2060c0', 1.5),
    line(cut(series.demand), nodes, '#202020', 1),
    line(cut(series.waiting), requests, '#7050a0', 1),
    line(cut(series.dropped), requests, '#d02020', 1),
    '</svg>\n',
  ].join('\n');
}

function legend(isCompared: boolean): string {
  const names = [
    ['demand', '#202020'],
    ['supply', '#2060c0'],
    ['ordered', '#f0a030'],
    ['queue', '#7050a0'],
    ['drops', '#d02020'],
    ['short of nodes', SHORTAGE_COLOR],
    ...(isCompared ? [['supply of the other config', OTHER_COLOR]] : []),
  ];
  return names
    .map(
      ([name, color], index) =>
        `<text x="${LEFT + index * 80 + Math.max(0, index - 5) * 40}" y="40" fill="${color}">■ ${name}</text>`,
    )
    .join('');
}

function axes({ top, height, highest, unit }: Panel): string {
  const marks = [0, 0.5, 1].map((share) => {
    const y = top + height * (1 - share);
    return (
      `<line x1="${LEFT}" x2="${LEFT + PLOT_WIDTH}" y1="${y}" y2="${y}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${highest * share}</text>`
    );
  });
  return `${marks.join('')}<text x="${LEFT}" y="${top - 4}" fill="#666">${unit}</text>`;
}

/** An empty panel might as well be a broken one. */
function nothing({ top, height }: Panel): string {
  const x = LEFT + PLOT_WIDTH / 2;
  return `<text x="${x}" y="${top + height / 2 - 8}" text-anchor="middle" fill="#666">no request waited, none was dropped</text>`;
}

/** Round times, the finest of which no more than a dozen marks come. */
const MARK_SECONDS = [10, 60, 300, 900, 3_600, 7_200, 21_600, 86_400];
const MARKS_MAX = 13;

function hours({ fromSecond, seconds }: Shown): string {
  const marks: string[] = [];
  const step = MARK_SECONDS.find((one) => seconds / one <= MARKS_MAX) ?? seconds;
  for (let at = Math.ceil(fromSecond / step) * step; at < fromSecond + seconds; at += step) {
    const x = LEFT + ((at - fromSecond) / seconds) * PLOT_WIDTH;
    const clock = `${Math.floor(at / 3_600)}:${String(Math.floor((at % 3_600) / 60)).padStart(2, '0')}`;
    const bottom = BOTTOM.top + BOTTOM.height;
    marks.push(
      `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP.top}" y2="${bottom}" stroke="#eee"/>` +
        `<text x="${x.toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${clock}</text>`,
    );
  }
  return marks.join('');
}

/** Where the demand is higher than the supply: requests are late there, or wait, or are dropped. */
function shortage(demand: Series, supply: Series, { top, height, highest }: Panel): string {
  const strokes: string[] = [];
  for (let pixel = 0; pixel < PLOT_WIDTH; pixel += 1) {
    const from = Math.floor((pixel * demand.length) / PLOT_WIDTH);
    const to = Math.max(from + 1, Math.floor(((pixel + 1) * demand.length) / PLOT_WIDTH));
    let worst = from;
    const missingAt = (second: number): number => (demand[second] ?? 0) - (supply[second] ?? 0);
    for (let second = from; second < to; second += 1) {
      worst = missingAt(second) > missingAt(worst) ? second : worst;
    }
    if (missingAt(worst) > 0) {
      const [high, low] = [demand[worst] ?? 0, supply[worst] ?? 0].map((nodes) =>
        (top + height * (1 - nodes / highest)).toFixed(1),
      );
      strokes.push(`M${LEFT + pixel} ${high}V${low}`);
    }
  }
  return `<path stroke="${SHORTAGE_COLOR}" stroke-width="1" d="${strokes.join('')}"/>`;
}

/**
 * Each pixel shows the highest and the lowest second that fall on it, so that no peak is lost. Where nothing changes there
 * is no point: of a calm hour a few are left.
 */
function line(
  values: Series,
  { top, height, highest }: Panel,
  color: string,
  width: number,
): string {
  const yOf = (value: number): string => (top + height * (1 - value / highest)).toFixed(1);
  let before = { x: LEFT, y: yOf(values[0] ?? 0) };
  const points = [`${before.x},${before.y}`];
  const add = (x: number, value: number): void => {
    const y = yOf(value);
    if (y !== before.y) {
      // A step stays upright: the line was still there right before.
      points.push(`${before.x},${before.y}`, `${x},${y}`);
    }
    before = { x, y };
  };
  for (let pixel = 0; pixel < PLOT_WIDTH; pixel += 1) {
    const from = Math.floor((pixel * values.length) / PLOT_WIDTH);
    const to = Math.max(from + 1, Math.floor(((pixel + 1) * values.length) / PLOT_WIDTH));
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    for (let second = from; second < to; second += 1) {
      low = Math.min(low, values[second] ?? 0);
      high = Math.max(high, values[second] ?? 0);
    }
    add(LEFT + pixel, low);
    add(LEFT + pixel, high);
  }
  points.push(`${before.x},${before.y}`);
  return `<polyline fill="none" stroke="${color}" stroke-width="${width}" points="${points.join(' ')}"/>`;
}

function highestOf(...all: readonly Series[]): number {
  let highest = 0;
  for (const values of all) {
    for (const value of values) {
      highest = Math.max(highest, value);
    }
  }
  return highest;
}

/** An even number with few digits, at least as high. */
function niceAbove(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1) * 2;
  return Math.max(2, Math.ceil((value * 1.02) / step) * step);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
