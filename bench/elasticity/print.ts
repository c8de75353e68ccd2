/** The report as text. */

import type { Claim, GroupStanding, Report, Standing } from './report.ts';
import type { Group } from './task.ts';

type Row = readonly string[];

/** The whole report. Regret is J − 1: how much more than perfect foresight a scaler costs. */
export function printReport(report: Report): string {
  const groups = report.groups.map(({ group }) => group);
  const loads = report.groups.map(({ group, loads: count }) => `${count} × ${group}`).join(', ');
  const sections = [
    `Loads: ${loads}.`,
    section('Regret, each at its best target', printRegrets(report, groups)),
    section('Regret as a share of the best rival, 95 % interval', printClaims(report.claims)),
    section('Dropped and late requests, node-hours over the optimum', printLosses(report, groups)),
    section('Seconds: longest run of drops, time to recover', printSeconds(report, groups)),
    section('Cost ratio over the loads of a group', printQuantiles(report, groups)),
    section('SPEC elasticity, mean of the groups', printSpec(report, groups)),
    section('Regret at other penalties', printPenalties(report)),
    section('Balanced regret by target', printCurves(report)),
    section('Share of loads won, groups alike', printWins(report)),
    section('Cost of the priced optimum, covering optimum = 1', printOptima(report, groups)),
    ...report.variants.map(({ bootSeconds, areBootsRough, slowness, regrets }) =>
      section(
        `Balanced regret with ${areBootsRough ? 'rough ' : ''}boots of ${bootSeconds} s${slowness === undefined ? '' : `, ${slowness} nodes`}`,
        table([
          ['', 'target', 'regret'],
          ...regrets.map((one) => [one.contender, `${one.target}`, fixed(one.balancedRegret)]),
        ]),
      ),
    ),
  ];
  return `${sections.join('\n\n')}\n`;
}

function section(title: string, body: string): string {
  return `${title}\n${'-'.repeat(title.length)}\n${body}`;
}

function printRegrets({ standings }: Report, groups: readonly Group[]): string {
  return table([
    ['', 'target', 'balanced', ...groups],
    ...standings.map((one) => [
      nameOf(one),
      `${one.target}`,
      fixed(one.balancedRegret),
      ...perGroup(one, groups, ({ regret, interval, bestRegret, bestTarget }) =>
        [
          `${fixed(regret)} (${fixed(interval.low)}–${fixed(interval.high)})`,
          bestTarget === one.target ? '' : ` or ${fixed(bestRegret)} at ${bestTarget}`,
        ].join(''),
      ),
    ]),
  ]);
}

function printClaims(claims: readonly Claim[]): string {
  return table([
    ['', 'best rival', 'target', 'share', '95 %'],
    ...claims.map(({ group, against, target, share, interval }) => [
      group,
      against,
      `${target}`,
      fixed(share, 2),
      `${fixed(interval.low, 2)}–${fixed(interval.high, 2)}`,
    ]),
  ]);
}

function printLosses({ standings }: Report, groups: readonly Group[]): string {
  return table([
    ['', ...groups],
    ...standings.map((one) => [
      nameOf(one),
      ...perGroup(one, groups, ({ droppedPercent, latePercent, nodeHoursShare }) =>
        [
          `${fixed(droppedPercent, 2)} %`,
          `${fixed(latePercent, 2)} %`,
          fixed(nodeHoursShare, 3),
        ].join(' · '),
      ),
    ]),
  ]);
}

function printSeconds({ standings }: Report, groups: readonly Group[]): string {
  return table([
    ['', ...groups.map((group) => `${group}: drops · median · worst`)],
    ...standings.map((one) => [
      nameOf(one),
      ...perGroup(one, groups, (standing) =>
        [
          standing.longestDropRunSeconds,
          standing.recoveryMedianSeconds,
          standing.recoveryWorstSeconds,
        ].join(' · '),
      ),
    ]),
  ]);
}

function printQuantiles({ standings }: Report, groups: readonly Group[]): string {
  return table([
    ['', ...groups.map((group) => `${group}: median · p90 · p99 · worst`)],
    ...standings.map((one) => [
      nameOf(one),
      ...perGroup(one, groups, ({ costRatioQuantiles: { median, p90, p99, worst, worstLoad } }) =>
        [fixed(median), fixed(p90), fixed(p99), `${fixed(worst)} (${worstLoad})`].join(' · '),
      ),
    ]),
  ]);
}

function printSpec({ standings }: Report, groups: readonly Group[]): string {
  return table([
    ['', 'θU %', 'θO %', 'τU %', 'τO %', 'jitter/h', 'υ %'],
    ...standings.map((one) => {
      const mean = (valueOf: (standing: GroupStanding) => number): string => {
        const values = groups.flatMap((group) => {
          const standing = one.groups[group];
          return standing === undefined ? [] : [valueOf(standing)];
        });
        return fixed(values.reduce((sum, value) => sum + value, 0) / values.length, 2);
      };
      return [
        nameOf(one),
        mean(({ spec }) => spec.underAccuracy),
        mean(({ spec }) => spec.overAccuracy),
        mean(({ spec }) => spec.underTime),
        mean(({ spec }) => spec.overTime),
        mean(({ spec }) => spec.jitterPerHour),
        mean(({ spec }) => spec.instability),
      ];
    }),
  ]);
}

function printPenalties({ standings }: Report): string {
  return table([
    ['dropped, late =', '10, 2', '3, 1', '30, 5'],
    ...standings.map((one) => [
      nameOf(one),
      fixed(one.balancedRegret),
      fixed(one.balancedRegretMild),
      fixed(one.balancedRegretHarsh),
    ]),
  ]);
}

function printCurves({ standings }: Report): string {
  return standings
    .filter(({ curve }) => curve.length > 1)
    .map((one) => {
      const points = one.curve.map((point) => `${point.target}: ${fixed(point.balancedRegret)}`);
      return `${nameOf(one)}  ${points.join(', ')}`;
    })
    .join('\n');
}

function printWins({ standings, wins }: Report): string {
  const [rackfire] = standings.filter(({ kind }) => kind === 'rackfire');
  const own = rackfire === undefined ? {} : (wins[rackfire.contender] ?? {});
  return table([
    ['Rackfire costs less than', 'on'],
    ...standings
      .filter((one) => one !== rackfire)
      .map((one) => [nameOf(one), `${((own[one.contender] ?? 0) * 100).toFixed(0)} %`]),
  ]);
}

function printOptima({ pricedShare }: Report, groups: readonly Group[]): string {
  return table(groups.map((group) => [group, fixed(pricedShare[group] ?? Number.NaN, 4)]));
}

function perGroup(
  { groups: standings }: Standing,
  groups: readonly Group[],
  print: (standing: GroupStanding) => string,
): Row {
  return groups.map((group) => {
    const standing = standings[group];
    return standing === undefined ? '–' : print(standing);
  });
}

function nameOf({ contender, kind }: Standing): string {
  return kind === 'seer' ? `(${contender})` : contender;
}

function fixed(value: number, digits = 3): string {
  return value.toFixed(digits);
}

/** Columns as wide as their widest cell. */
function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
