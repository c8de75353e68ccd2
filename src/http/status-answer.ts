/** `GET /api/v1/status`: what the service knows and thinks now. */

import { z } from '@hono/zod-openapi';
import { OverrideAnswer } from './override-answer.ts';
import { list, orNull, time } from './values.ts';

const PHASES = [
  'absent',
  'booting',
  'warming',
  'out-of-rotation',
  'in-service',
  'stopping',
  'failed',
  'standby',
  'unknown',
  'conflict',
  'residue',
] as const;

const ACTION_KINDS = [
  'admit',
  'warm',
  'wake',
  'boot',
  'drain',
  'pause',
  'save',
  'park',
  'repair',
  'destroy',
] as const;

export const REASONS = [
  'recommended',
  'converged',
  'signals-unknown',
  'within-tolerance',
  'stabilizing',
  'scaling-policy',
  'flap-guard',
  'minimum',
  'maximum',
  'schedule',
  'override-minimum',
  'held',
  'paused',
] as const;

export const Direction = z.enum(['out', 'in', 'none']);

const Circuit = z.enum(['closed', 'half-open', 'open']).openapi({
  description:
    'Open: too many boots have failed, and none is tried for a while. Half-open: one is tried.',
});

const circuitOpenUntil = orNull(time()).openapi({
  description: 'Then one boot is tried; null unless the circuit is open.',
});

/** What is common to the readings of all signals. */
const reading = {
  status: z.enum(['ok', 'partial', 'stale', 'absent']),
  why: orNull(z.string()).openapi({ description: 'Why it is not `ok`.' }),
};

const Signals = z
  .object({
    requestRate: z.object({ ...reading, rps: orNull(z.number()) }),
    queue: z.object({
      ...reading,
      requests: orNull(z.number()),
      servedRps: orNull(z.number()),
    }),
    slots: z.object({ ...reading, used: orNull(z.number()), total: orNull(z.number()) }),
  })
  .openapi('Signals');
export type SignalsAnswer = z.infer<typeof Signals>;

const REFUSALS = [
  'unreachable',
  'not-fenced',
  'draining',
  'breaker',
  'concurrent-boots',
  'memory',
  'vcpus',
  'disk',
  'host-failure',
] as const;

export const ShortfallAnswer = z
  .object({
    nodes: z.int(),
    why: z.enum(['maximum', 'addresses', 'fleet-limit', 'breaker', 'no-host', 'concurrent-boots']),
    refusals: list(
      z.object({
        host: z.string(),
        why: z.enum(REFUSALS),
        free: orNull(z.number()).openapi({ description: 'What is left of it: MiB, vCPUs, boots.' }),
        uncovered: z.string().optional().openapi({
          description: 'With host-failure: the host whose loss would not be provided for.',
        }),
      }),
    ),
  })
  .openapi('Shortfall', { description: 'Nodes that are needed and cannot be booted.' });
export type ShortfallAnswer = z.infer<typeof ShortfallAnswer>;

const NodeAnswer = z
  .object({
    name: z.string(),
    phase: z.enum(PHASES),
    host: orNull(z.string()),
    born: orNull(time()),
    since: orNull(time()).openapi({
      description: "Its birth, or HAProxy's last change of its server.",
    }),
    sickSince: orNull(time()).openapi({
      description: 'In rotation, with a check that has failed since then.',
    }),
    sessions: orNull(z.int()).openapi({ description: 'Null while not every balancer says so.' }),
    protectedBy: orNull(z.string()),
    drainAskedBy: orNull(z.string()),
    operation: orNull(z.enum(ACTION_KINDS)).openapi({ description: 'What is under way there.' }),
  })
  .openapi('Node');
export type NodeAnswer = z.infer<typeof NodeAnswer>;

export const DecisionSummary = z
  .object({
    at: time(),
    direction: Direction,
    reason: z.enum(REASONS),
    currentNodes: z.int(),
    desiredNodes: z.int(),
    needNodes: orNull(z.number()),
  })
  .openapi('DecisionSummary');
export type DecisionSummary = z.infer<typeof DecisionSummary>;

const OutlookAnswer = z
  .object({
    forecastRps: z.number(),
    ahead: z.string().openapi({
      description: 'So far ahead is looked: when a node that is ordered now serves.',
      examples: ['50s'],
    }),
    headroomNodes: z.number().openapi({ description: 'Wanted beyond the bare rate.' }),
    storm: orNull(
      z.object({
        began: time(),
        detected: time(),
        baseRps: z.number().openapi({ description: 'The rate that it rose from.' }),
        endsAt: time().openapi({ description: 'Over at the latest then.' }),
      }),
    ).openapi({ description: 'What is ordered ahead of it is `forecastRps`.' }),
  })
  .openapi('Outlook', { description: 'What is foreseen of the rate.' });
export type OutlookAnswer = z.infer<typeof OutlookAnswer>;

const ScheduleAnswer = z
  .object({
    cron: z.string().openapi({ examples: ['0 8 * * mon-fri'] }),
    duration: z.string().openapi({ examples: ['10h'] }),
    timeZone: z.string().openapi({ examples: ['Europe/Berlin'] }),
    minNodes: orNull(z.int()),
    maxNodes: orNull(z.int()),
    freeze: orNull(z.literal('scale-in')),
    until: orNull(time()).openapi({ description: 'It holds, until then; null when it does not.' }),
    from: orNull(time()).openapi({ description: 'When it begins next; null: never again.' }),
  })
  .openapi('Schedule', { description: 'A window by the wall clock, and what holds in it.' });
export type ScheduleAnswer = z.infer<typeof ScheduleAnswer>;

export const ScaledTierAnswer = z
  .object({
    scaling: z.literal('automatic'),
    tier: z.string().openapi({ examples: ['news/web'] }),
    mode: z.enum(['observe', 'scale-out-only', 'full']),
    removed: z.boolean().openapi({
      description: 'A reload took it out of the config: it is seen, and nothing is done to it.',
    }),
    minNodes: z.int().openapi({
      description: 'In force: of the config or of a schedule, whose nodes are ordered ahead.',
    }),
    maxNodes: z.int().openapi({ description: 'In force: of the config or of a schedule.' }),
    schedules: list(ScheduleAnswer).openapi({ description: 'In the order of the config.' }),
    standby: z
      .object({
        state: z.enum(['paused', 'saved']),
        nodes: z.union([z.int(), z.literal('auto')]).openapi({
          description: 'As configured; `auto`: all that are ordered ahead and not needed yet.',
        }),
        wantedNodes: orNull(z.int()).openapi({ description: 'Now; null before the first tick.' }),
      })
      .openapi({ description: 'How many are kept ready beside those in service, and how.' }),
    decision: orNull(DecisionSummary).openapi({ description: 'Null before the first tick.' }),
    signals: orNull(Signals),
    outlook: orNull(OutlookAnswer).openapi({
      description: 'Null while the rate is not known wholly and freshly.',
    }),
    nodes: list(NodeAnswer),
    shortfall: orNull(ShortfallAnswer),
    healingFrozen: z.boolean().openapi({
      description: 'So many nodes fail their checks that none is replaced.',
    }),
    findings: list(z.string()).openapi({
      description: 'The plan contradicts itself, which is a defect; none of it is carried out.',
    }),
    circuit: orNull(Circuit),
    circuitOpenUntil,
    overrides: list(OverrideAnswer),
  })
  .openapi('ScaledTier');
export type ScaledTierAnswer = z.infer<typeof ScaledTierAnswer>;

export const FixedTierAnswer = z
  .object({
    scaling: z.literal('none'),
    tier: z.string().openapi({ examples: ['news/db'] }),
    removed: z.boolean(),
    nodes: list(z.object({ name: z.string(), phase: z.enum(PHASES), host: orNull(z.string()) })),
  })
  .openapi('FixedTier', { description: 'Only watched.' });
export type FixedTierAnswer = z.infer<typeof FixedTierAnswer>;

const HostAnswer = z
  .object({
    name: z.string(),
    reachable: z.boolean(),
    fenced: z.boolean().openapi({
      description: 'False while it may still take orders of whoever led before.',
    }),
    freeMemoryMiB: z.number(),
    freeVcpus: z.number(),
    freeDiskMiB: z.number(),
    startsInFlight: z.int(),
    circuit: Circuit,
    circuitOpenUntil,
    recentFailures: z.int(),
    overrides: list(OverrideAnswer).openapi({ description: 'Its drains.' }),
  })
  .openapi('Host');

const BalancerAnswer = z
  .object({
    name: z.string(),
    answers: z.boolean(),
    inSync: z.boolean().openapi({
      description: 'It answers, and has every server as the other balancers have it.',
    }),
    overrides: list(OverrideAnswer).openapi({ description: 'Its exclusions.' }),
  })
  .openapi('Balancer');

const Problem = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  path: z.string(),
  message: z.string(),
});

export const RefusalAnswer = z
  .object({ at: time(), message: z.string(), problems: list(Problem) })
  .openapi('Refusal', { description: 'Why the config file as it stands is not in force.' });

export type RefusalAnswer = z.infer<typeof RefusalAnswer>;

const JournalAnswer = z
  .object({
    state: z.enum(['writing', 'failing', 'refused']),
    why: orNull(z.string()),
    since: time(),
    droppedRecords: z.int(),
  })
  .openapi('Journal');

const FailingActionAnswer = z
  .object({
    tier: z.string(),
    node: z.string(),
    action: z.enum(ACTION_KINDS),
    balancer: orNull(z.string()).openapi({
      description: 'Of a repair, which is of one balancer; null for all others.',
    }),
    failures: z.int().openapi({ description: 'In a row.' }),
    since: time().openapi({ description: 'When it failed first.' }),
    why: z.string().openapi({ description: 'Of the latest failure.' }),
  })
  .openapi('FailingAction');

export const StatusAnswer = z
  .object({
    at: time().openapi({ description: 'When this was so.' }),
    version: z.string(),
    startedAt: time(),
    lastTickAt: orNull(time()),
    leader: z.object({
      isLeader: z.boolean(),
      driver: z.enum(['file', 'kubernetes']).openapi({
        description: 'A lock of this machine, or a Lease that replicas share.',
      }),
      holder: orNull(z.object({ name: z.string(), since: orNull(time()) })).openapi({
        description: 'Who has it, as last read.',
      }),
      trouble: orNull(z.string()).openapi({
        description: 'Why it cannot be read, written or contended for now.',
      }),
      term: orNull(z.object({ createdAt: time(), transitions: z.int() })),
    }),
    config: z.object({ file: z.string(), loadedAt: time(), refusal: orNull(RefusalAnswer) }),
    journal: orNull(JournalAnswer).openapi({ description: 'Null while another one leads.' }),
    silentSources: list(z.object({ name: z.string(), why: z.string() })).openapi({
      description: 'Hosts and balancers that do not answer now.',
    }),
    failingActions: list(FailingActionAnswer).openapi({
      description: 'What has failed at least three times in a row and is still wanted.',
    }),
    hosts: list(HostAnswer),
    balancers: list(BalancerAnswer),
    clusters: list(
      z.object({
        name: z.string(),
        tiers: list(z.discriminatedUnion('scaling', [ScaledTierAnswer, FixedTierAnswer])),
      }),
    ),
  })
  .openapi('Status');
export type StatusAnswer = z.infer<typeof StatusAnswer>;
