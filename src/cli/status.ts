import type { Command } from 'commander';
import { StatusAnswer } from '../http/status-answer.ts';
import { describeBreaker, findTroubles } from './troubles.ts';
import { formatMoment, formatPast } from './moments.ts';
import { endWithReader, paint, printTable } from './page.ts';
import { print } from './print.ts';
import { addServiceOptions, ServiceClient, type ServiceOptions } from './service-client.ts';

type ScaledTier = Extract<Tier, { readonly scaling: 'automatic' }>;
type FixedTier = Extract<Tier, { readonly scaling: 'none' }>;
type Tier = StatusAnswer['clusters'][number]['tiers'][number];

/** `rackfire status`: what is wrong first, then everything. */
export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('what the running service knows and thinks now, what is wrong first');
  addServiceOptions(command).action(async (options: ServiceOptions) => {
    await showStatus(options);
  });
}

/** @throws UnreachableError when no service answers. */
async function showStatus(options: ServiceOptions): Promise<void> {
  endWithReader();
  const client = await ServiceClient.create(options);
  const { text, value: status } = await client.get('/api/v1/status', StatusAnswer);
  if (options.json === true) {
    print(text);
    return;
  }
  const nowMs = Date.parse(status.at);
  printService(status);
  for (const { tone, text: trouble } of findTroubles(status)) {
    print(paint(tone, `${tone === 'bad' ? '✗' : '!'} ${trouble}`));
  }
  for (const tier of status.clusters.flatMap(({ tiers }) => tiers)) {
    print('');
    if (tier.scaling === 'automatic') {
      printScaledTier(tier, nowMs);
    } else {
      printFixedTier(tier);
    }
  }
  printHosts(status);
  printBalancers(status);
}

function printService({ at, version, leader, startedAt, config }: StatusAnswer): void {
  const nowMs = Date.parse(at);
  const role = leader.isLeader ? 'leads' : paint('warn', 'does not lead');
  print(
    `${paint('strong', `rackfire ${version}`)} ${role}, started ${formatPast(startedAt, nowMs)}, config ${config.file} of ${formatMoment(config.loadedAt, nowMs)}`,
  );
}

function printScaledTier(tier: ScaledTier, nowMs: number): void {
  const { decision, minNodes, maxNodes, mode, standby } = tier;
  const notes = [
    `${minNodes}…${maxNodes} nodes`,
    ...(standby.nodes === 0
      ? []
      : [`${standby.wantedNodes ?? standby.nodes} ${standby.state} on standby`]),
    ...(mode === 'full' ? [] : [`mode ${mode}`]),
    ...(tier.removed ? ['not in the config any more'] : []),
  ];
  print(
    `${paint('strong', tier.tier)}  ${describeCount(decision)}  ${paint('faint', notes.join(', '))}`,
  );
  print(`  ${describeSignals(tier)}`);
  for (const line of [...describeOutlook(tier, nowMs), ...describeSchedules(tier, nowMs)]) {
    print(`  ${line}`);
  }
  if (tier.nodes.length > 0) {
    printTable(
      [
        ['NODE', 'PHASE', 'HOST', 'SINCE', 'SESSIONS', ''].map((title) => paint('faint', title)),
        ...tier.nodes.map((node) => describeNode(node, nowMs)),
      ],
      '  ',
    );
  }
}

function describeCount(decision: ScaledTier['decision']): string {
  if (decision === null) {
    return 'not decided yet';
  }
  const { currentNodes, desiredNodes, reason } = decision;
  return currentNodes === desiredNodes
    ? `${desiredNodes} wanted (${reason})`
    : paint('good', `${currentNodes} → ${desiredNodes} wanted (${reason})`);
}

function describeSignals({ signals, decision }: ScaledTier): string {
  if (signals === null) {
    return 'no signal yet';
  }
  const { requestRate, queue, slots } = signals;
  const need = decision?.needNodes;
  return [
    `${show(requestRate.rps)} rps${noteOf(requestRate)}`,
    `${show(queue.requests)} waiting${noteOf(queue)}`,
    `${show(slots.used)} of ${show(slots.total)} slots in use${noteOf(slots)}`,
    need === null || need === undefined ? 'need unknown' : `needs ${need.toFixed(2)} nodes`,
  ].join(', ');
}

/** What is foreseen, and a storm with when it was detected and when it lets go. */
function describeOutlook({ outlook }: ScaledTier, nowMs: number): readonly string[] {
  if (outlook === null) {
    return [];
  }
  const { forecastRps, ahead, headroomNodes, storm } = outlook;
  const foreseen = `${show(forecastRps)} rps foreseen in ${ahead}, ${headroomNodes.toFixed(2)} nodes of head-room`;
  if (storm === null) {
    return [foreseen];
  }
  const { detected, baseRps, endsAt } = storm;
  const told = `storm detected at ${formatMoment(detected, nowMs)}, from ${show(baseRps)} rps, over at ${formatMoment(endsAt, nowMs)} at the latest`;
  return [foreseen, paint('warn', told)];
}

/** `schedule 0 8 * * mon-fri (10h, Europe/Berlin): at least 6 nodes until 18:00:00`; those that do not hold are faint. */
function describeSchedules({ schedules }: ScaledTier, nowMs: number): readonly string[] {
  return schedules.map(
    ({ cron, duration, timeZone, minNodes, maxNodes, freeze, until, from: begin }) => {
      const words = [
        ...(minNodes === null ? [] : [`at least ${minNodes} nodes`]),
        ...(maxNodes === null ? [] : [`at most ${maxNodes} nodes`]),
        ...(freeze === null ? [] : ['no scale-in']),
      ].join(', ');
      const again = begin === null ? '' : `, next from ${formatMoment(begin, nowMs)}`;
      const text = `schedule ${cron} (${duration}, ${timeZone}): ${words}`;
      return until === null
        ? paint('faint', `${text}${again === '' ? ', never again' : again}`)
        : `${text} until ${formatMoment(until, nowMs)}${again}`;
    },
  );
}

function noteOf({ status, why }: { readonly status: string; readonly why: string | null }): string {
  return status === 'ok' ? '' : paint('warn', ` (${status}: ${why ?? 'not said why'})`);
}

function show(value: number | null): string {
  return value === null ? '?' : String(Math.round(value * 10) / 10);
}

function describeNode(node: ScaledTier['nodes'][number], nowMs: number): readonly string[] {
  const marks = [
    node.operation === null ? [] : [`${node.operation} under way`],
    node.sickSince === null
      ? []
      : [paint('bad', `check fails since ${formatMoment(node.sickSince, nowMs)}`)],
    node.protectedBy === null ? [] : [`protected by ${node.protectedBy}`],
    node.drainAskedBy === null ? [] : [`to be drained (${node.drainAskedBy})`],
  ].flat();
  return [
    node.name,
    paintPhase(node.phase),
    node.host ?? '?',
    node.since === null ? '?' : formatMoment(node.since, nowMs),
    node.sessions === null ? '?' : String(node.sessions),
    marks.join(', '),
  ];
}

function paintPhase(phase: string): string {
  switch (phase) {
    case 'in-service':
      return paint('good', phase);
    case 'failed':
    case 'conflict':
    case 'absent':
      return paint('bad', phase);
    case 'unknown':
      return paint('warn', phase);
    default:
      return phase;
  }
}

function printFixedTier(tier: FixedTier): void {
  const note = tier.removed ? 'only watched, not in the config any more' : 'only watched';
  print(`${paint('strong', tier.tier)}  ${paint('faint', note)}`);
  const rows = tier.nodes.map(({ name, phase, host }) => [name, paintPhase(phase), host ?? '?']);
  printTable(rows, '  ');
}

function printHosts({ at, hosts }: StatusAnswer): void {
  const nowMs = Date.parse(at);
  if (hosts.length === 0) {
    return;
  }
  print('');
  const titles = ['HOST', 'FREE MEMORY', 'VCPUS', 'DISK', ''];
  printTable([
    titles.map((title) => paint('faint', title)),
    ...hosts.map((host) => {
      const notes = [
        host.reachable ? [] : [paint('bad', 'does not answer')],
        host.fenced ? [] : [paint('warn', 'has not acknowledged the leader')],
        host.overrides.map(({ id }) => `to be drained (${id})`),
        host.circuit === 'closed'
          ? []
          : [paint('bad', `boots keep failing: ${describeBreaker(host, nowMs)}`)],
        host.recentFailures === 0
          ? []
          : [paint('warn', `${host.recentFailures} boots failed lately`)],
        host.startsInFlight === 0 ? [] : [`${host.startsInFlight} boots or wakes under way`],
      ].flat();
      return [
        host.name,
        `${host.freeMemoryMiB} MiB`,
        String(host.freeVcpus),
        `${Math.round(host.freeDiskMiB / 1_024)} GiB`,
        notes.join(', '),
      ];
    }),
  ]);
}

function printBalancers({ balancers }: StatusAnswer): void {
  if (balancers.length === 0) {
    return;
  }
  print('');
  const titles = ['BALANCER', ''];
  printTable([
    titles.map((title) => paint('faint', title)),
    ...balancers.map(({ name, answers, inSync, overrides }) => {
      const notes = [
        answers ? [] : [paint('bad', 'does not answer')],
        answers && !inSync ? [paint('warn', 'not in sync')] : [],
        overrides.map(({ id }) => `excluded (${id})`),
      ].flat();
      return [name, notes.join(', ')];
    }),
  ]);
}
