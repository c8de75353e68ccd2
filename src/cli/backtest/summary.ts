import { tierKey } from '../../scaler/cluster.ts';
import { formatMoment } from '../moments.ts';
import { paint, printTable } from '../page.ts';
import { print } from '../print.ts';
import { describeBoots, drawRun, formatPercent, formatSpan } from '../simulate/summary.ts';
import type { History, Span } from './history.ts';
import type { Figures, Replayed } from './replay.ts';
import type { Worse } from './verdict.ts';

/** A backtest for a person: what there was, the nodes over time, figures side by side, and the verdict. */
export function printBacktest(
  history: History,
  replayed: Replayed,
  {
    against,
    bootDelayMs,
  }: {
    readonly against: { readonly other: Replayed; readonly worse: readonly Worse[] } | undefined;
    readonly bootDelayMs: number;
  },
): void {
  const { subject, figures, series } = replayed;
  const [first] = history.stretches;
  const from = first === undefined ? '' : ` from ${showMoment(first.fromMs)}`;
  print(
    `${tierKey(subject.tier)}, ${formatSpan(history.seconds)} of recorded traffic${from}, ${describeBoots(bootDelayMs)}`,
  );
  print(describeGaps(history.gaps));
  print('');
  print(drawRun(series, against && subject.file));
  print('');
  const rows = listFigures(figures);
  if (against === undefined) {
    printTable(rows);
    return;
  }
  const { other, worse } = against;
  const others = listFigures(other.figures);
  printTable([
    ['', other.subject.file, subject.file],
    ...rows.map(([name, value], row) => [name, others[row]?.[1] ?? '', value]),
  ]);
  print('');
  const names = [subject.file, other.subject.file] as const;
  print(
    worse.length === 0
      ? paint('good', `${names[0]} is not worse than ${names[1]}`)
      : paint(
          'bad',
          `${names[0]} is worse than ${names[1]}: ${worse.map(describeWorse).join(', ')}`,
        ),
  );
}

function describeWorse(worse: Worse): string {
  switch (worse) {
    case 'dropped':
      return 'it drops more requests';
    case 'J':
      return 'it costs more (J)';
  }
}

function describeGaps(gaps: readonly Span[]): string {
  const lengths = gaps.map(({ fromMs, untilMs }) => (untilMs - fromMs) / 1_000);
  const longest = Math.max(...lengths);
  const at = gaps[lengths.indexOf(longest)];
  if (at === undefined) {
    return 'no gaps';
  }
  const all = lengths.reduce((sum, seconds) => sum + seconds, 0);
  return `${gaps.length === 1 ? '1 gap' : `${gaps.length} gaps`} left out, ${formatSpan(Math.round(all))} in all; the longest is ${formatSpan(Math.round(longest))} from ${showMoment(at.fromMs)}`;
}

function showMoment(atMs: number): string {
  return formatMoment(new Date(atMs).toISOString(), Date.now());
}

function listFigures(figures: Figures): readonly (readonly [name: string, value: string])[] {
  const { requests, dropped, late } = figures;
  return [
    ['requests', `${Math.round(requests)}`],
    ['dropped', `${Math.round(dropped)} (${formatPercent(dropped, requests)})`],
    ['late', `${Math.round(late)} (${formatPercent(late, requests)})`],
    ['short of nodes', `${figures.underProvisionedMinutes.toFixed(1)} min`],
    ['node-hours', figures.nodeHours.toFixed(1)],
    ['with perfect foresight', figures.optimumNodeHours.toFixed(1)],
    ['changes of the count', `${figures.changes}`],
    ['flaps', `${figures.flaps}`],
    ['boots', `${figures.boots}`],
    ['J (1 is perfect foresight)', figures.J.toFixed(3)],
  ];
}
