/** The part of the config that ops tune: one tier of a cluster. Every default of scaling stands here. */

import { z } from 'zod';
import { hasStart, openClock, parseCron } from './read-schedule.ts';
import { describeChoice, show } from './problems.ts';
import { suggest } from './suggest.ts';
import {
  addressRange,
  bind,
  choice,
  count,
  duration,
  durationOrAuto,
  name,
  notBuiltYet,
  refused,
  section,
  text,
  valueNotes,
} from './values.ts';

const scaledOnly = refused('has no meaning with `scaling: none`; remove one of the two');

const image = name().describe('What a node boots from: a key of `images`.');
const size = name().describe('What a node takes from its host: a key of `sizes`.');
const addresses = addressRange().describe(
  'IPv4 addresses "first-last", both included. Node 1 has the first; the range is the hard ceiling.',
);

const policy = section({
  percent: count(1, 10_000, 'percent')
    .optional()
    .describe('Percent of the nodes at the start of the period.'),
  nodes: count(1, 4_096, 'nodes').optional().describe('A number of nodes.'),
  per: duration('1s', '1h').describe('The period that the change is counted over.'),
}).refine((value) => (value.percent === undefined) !== (value.nodes === undefined), {
  error: 'needs either `percent` or `nodes`',
});

const policies = z.array(policy).max(10).default([]);
const tolerance = z
  .number({
    error: ({ code, input }) =>
      code === 'invalid_type' ? `expected a share such as 0.1, got ${show(input)}` : undefined,
  })
  .min(0)
  .lt(1)
  .register(valueNotes, { kind: 'share' });

const scaleOut = section({
  tolerance: tolerance
    .default(0)
    .describe('No reaction while the need exceeds the nodes by less than this share of them.'),
  policies: policies.describe(
    'At most so many more nodes per period; the most generous policy counts. None: at once.',
  ),
});

const scaleIn = section({
  tolerance: tolerance
    .default(0)
    .describe('No reaction while the nodes exceed the need by less than this share of them.'),
  stabilizationWindow: durationOrAuto()
    .default('auto')
    .describe(
      'The highest need of this window counts. `auto`: some seconds, and the longer, up to the measured boot time, the longer the rate wavers; while nothing is foreseen, the boot time, at least 30s.',
    ),
  policies: policies.describe(
    'At most so many fewer nodes per period, rounded down, at least one. None: at once.',
  ),
});

const signals = section({
  requestRate: section(
    {
      targetPerNode: z
        .number()
        .gt(0)
        .max(1_000_000)
        .register(valueNotes, { kind: 'requests per second' })
        .describe('Requests per second that one node serves well.'),
    },
    '`requestRate` is missing; the queue alone never says that a node may go',
  ).describe('Requests that arrive at the backend. Measure the target with real traffic.'),
  queue: section({
    maxWait: duration('1ms')
      .default('100ms')
      .describe('More nodes are wanted when a request would wait longer than this in HAProxy.'),
  })
    .prefault({})
    .describe('Requests that wait in HAProxy. It asks for more nodes, never for fewer.'),
});

const health = section({
  path: text(
    /^\/[A-Za-z0-9._~/%?=&+,:@-]{0,255}$/,
    'a path that starts with / and has only characters of a URL, no quotes and no spaces',
  )
    .default('/health')
    .describe('Answers 200 when the node can serve.'),
  port: count(1, 65_535).default(80).describe('Where the node serves, checks and requests alike.'),
  interval: duration('100ms', '1m').default('1s').describe('Time between two checks by HAProxy.'),
});

const frontend = section({
  bind: bind().describe('Where HAProxy listens: `*:80`, `:80` or `127.0.0.1:8080`.'),
  queueTimeout: duration('1ms')
    .default('60s')
    .describe('A request that waited so long in HAProxy is answered with 503.'),
});

const standby = section({
  state: choice(['paused', 'saved'], ['stopped'])
    .default('paused')
    .describe(
      '`paused`: they keep their memory and serve within a second. `saved`: only disk, and some seconds.',
    ),
  nodes: z
    .union([count(0, 4_096, 'nodes'), z.literal('auto')], {
      error: 'expected a number of nodes, or `auto`',
    })
    .default(0)
    .describe(
      'How many are kept beside those in service, within `nodes.max`. `auto`: all that are ordered ahead and not needed yet, so that a storm or its noise costs memory and no CPU.',
    ),
});

const cronNoun = 'a cron expression of five fields such as "0 8 * * mon-fri"';

const cron = text(/^(?:[0-9A-Za-z*,/#-]+ ){4}[0-9A-Za-z*,/#-]+$/, cronNoun).superRefine(
  (value, context) => {
    const problem = findCronProblem(value);
    if (problem !== undefined) {
      context.addIssue({ code: 'custom', message: problem });
    }
  },
);

function findCronProblem(value: string): string | undefined {
  try {
    return hasStart(parseCron(value)) ? undefined : `never comes: no day is like ${show(value)}`;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : '';
    return `expected ${cronNoun}, got ${show(value)}: ${why}`;
  }
}

const zoneNoun = 'an IANA time zone such as Europe/Berlin or UTC';

/** By name alone: an offset such as +01:00 would be wrong for half of the year. */
const timeZone = text(/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/, zoneNoun).refine(isTimeZone, {
  error: ({ input }) => {
    const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')];
    const word = typeof input === 'string' ? input : '';
    const meant = zones.find((zone) => zone.endsWith(`/${word}`)) ?? suggest(word, zones);
    const hint = meant === undefined ? `; expected ${zoneNoun}` : `; did you mean \`${meant}\`?`;
    return `there is no time zone ${show(input)}${hint}`;
  },
});

function isTimeZone(zone: string): boolean {
  try {
    openClock(zone);
    return true;
  } catch {
    return false;
  }
}

const schedule = section({
  cron: cron.describe(
    'When it begins, on the clock of `timeZone`: minute, hour, day of the month, month, day of the week.',
  ),
  duration: duration('1m').describe(
    'How long it lasts, on the same clock: from 22:00, `8h` end at 06:00 also when the clock is changed in that night.',
  ),
  timeZone: timeZone.describe('IANA time zone, such as `Europe/Berlin`.'),
  nodes: section({
    min: count(1, 4_096, 'nodes')
      .optional()
      .describe(
        'At least so many serve from its begin to its end; they are ordered ahead. Of all minimums the highest counts.',
      ),
    max: count(1, 4_096, 'nodes')
      .optional()
      .describe(
        'In place of `nodes.max`; of several that hold, the highest counts, and never less than the minimum.',
      ),
  })
    .refine(({ min, max }) => min !== undefined || max !== undefined, {
      error: 'needs `min`, `max` or both',
    })
    .superRefine(({ min, max }, context) => {
      if (min !== undefined && max !== undefined && max < min) {
        const message = `must be at least \`min\` (${min}), got ${max}`;
        context.addIssue({ code: 'custom', path: ['max'], message });
      }
    })
    .optional()
    .describe('Other bounds while it holds.'),
  freeze: choice(['scale-in'])
    .optional()
    .describe('`scale-in`: no node goes while it holds. Nodes still come.'),
}).refine(({ nodes, freeze }) => nodes !== undefined || freeze !== undefined, {
  error: 'needs `nodes`, `freeze` or both',
});

/** A tier that Rackfire keeps at the size that its traffic needs. */
const scaledTier = section({
  scaling: z
    .literal('automatic')
    .default('automatic')
    .describe('`none` for a tier that Rackfire must not touch.'),
  image,
  size,
  nodes: section({
    min: count(1, 4_096, 'nodes').describe('Never fewer by our own act.'),
    max: count(1, 4_096, 'nodes').describe('Never more. At most the number of `addresses`.'),
  })
    .superRefine(({ min, max }, context) => {
      if (max < min) {
        const message = `must be at least \`min\` (${min}), got ${max}`;
        context.addIssue({ code: 'custom', path: ['max'], message });
      }
    })
    .describe('The bounds of automatic scaling.'),
  addresses,
  frontend: frontend
    .optional()
    .describe('The HAProxy section that serves the site. Leave it out when you wrote your own.'),
  backend: text(/^[A-Za-z0-9_.:-]{1,64}$/, 'a backend name of A-Z, a-z, 0-9 and _ . : -').describe(
    "Name of the HAProxy backend that holds this tier's servers. Two tiers never share one.",
  ),
  maxConnections: count(1, 100_000)
    .default(10)
    .describe(
      'Requests that a node works on at once, per balancer; HAProxy queues the rest. Where several balancers have traffic at the same time, each gets its share of what the node can do.',
    ),
  health: health.prefault({}).describe("HAProxy's check of a node."),
  signals: signals.describe('What the need is computed from; the highest need counts.'),
  scaleOut: scaleOut.prefault({}).describe('How fast nodes are added.'),
  scaleIn: scaleIn.prefault({}).describe('How carefully nodes are taken away.'),
  storm: section({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        'Order what is foreseen for when a node that is ordered now serves, and ahead of storms. `false`: what arrives now counts, as it is.',
      ),
    minDuration: notBuiltYet('minDuration'),
  })
    .prefault({})
    .describe('What is ordered before it is needed.'),
  standby: standby.prefault({}).describe('Nodes prepared ahead, which serve faster than a boot.'),
  drain: section({
    deadline: duration('1s')
      .default('5m')
      .describe('A drained node that still has sessions is let go after this time.'),
  })
    .prefault({})
    .describe('How nodes go.'),
  boot: section({
    deadline: durationOrAuto('1s')
      .default('auto')
      .describe(
        'From the order to the first passed check; later, the boot has failed. `auto`: three times what boots take, at least 2m; 5m until one has been measured.',
      ),
  })
    .prefault({})
    .describe('How long a node may take to come.'),
  schedules: z
    .array(schedule)
    .max(50)
    .default([])
    .describe('Windows by the wall clock with other bounds, or in which no node goes.'),
});

/** A tier that is seen and counted, and never changed. */
const fixedTier = section({
  scaling: z.literal('none').describe('Rackfire never boots, moves or destroys these nodes.'),
  image,
  size,
  nodes: count(1, 4_096, 'nodes').describe('How many there are.'),
  connections: count(1, 1_000_000)
    .optional()
    .describe(
      "Connections that one of them takes (MySQL's `max_connections`): `check` says when the web nodes of the cluster may open more.",
    ),
  addresses,
  frontend: scaledOnly,
  backend: scaledOnly,
  maxConnections: scaledOnly,
  health: scaledOnly,
  signals: scaledOnly,
  scaleOut: scaledOnly,
  scaleIn: scaledOnly,
  storm: scaledOnly,
  standby: scaledOnly,
  drain: scaledOnly,
  boot: scaledOnly,
  schedules: scaledOnly,
});

/** A tier as it stands in the file, defaults filled in. */
export const WrittenTier = z.discriminatedUnion('scaling', [scaledTier, fixedTier], {
  error: ({ code, input }) =>
    code === 'invalid_union' && typeof input === 'object' && input !== null && 'scaling' in input
      ? describeChoice(['automatic', 'none'], input.scaling)
      : undefined,
});
export type WrittenTier = z.output<typeof WrittenTier>;
