/** What HAProxy's config file says of the settings that keep a storm, a dead node and a reload harmless. Pure. */

import type { ScaledTier } from '../../scaler/cluster.ts';
import type { BalancerFinding } from './findings.ts';

export interface SettingsWanted {
  readonly tiers: readonly ScaledTier[];
  readonly hardStopAfterMs: number;
}

/** One section: its first line and those in it, without comments. */
interface Section {
  readonly kind: string;
  readonly name: string;
  /** The `defaults` that it takes over. */
  readonly defaults: Section | undefined;
  readonly lines: readonly string[];
}

const heads =
  /^(global|defaults|frontend|backend|listen|userlist|peers|resolvers|mailers|cache|ring|program|http-errors|fcgi-app)\b/;

const unitsMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** For a tier whose frontend somebody else wrote, as `haproxy-config` has it. */
const usualQueueTimeoutMs = 60_000;

/** The names of what is looked at, for those who cannot look at the file. */
export const settingNames = [
  'hard-stop-after',
  'option redispatch',
  'option idle-close-on-response',
  'timeout queue',
];

/** @param text - The whole file. @see https://docs.haproxy.org/2.6/configuration.html */
export function checkSettings(text: string, wanted: SettingsWanted): readonly BalancerFinding[] {
  const sections = parseSections(text);
  const backends = wanted.tiers.flatMap((tier) => {
    const backend = sections.find(
      ({ kind, name }) => /^(backend|listen)$/.test(kind) && name === tier.backend,
    );
    return backend === undefined
      ? []
      : [
          checkRedispatch(backend),
          checkQueueTimeout(tier, backend),
          checkIdleClose(tier.backend, sections),
          ...checkStateFile(backend),
        ];
  });
  return [checkHardStop(sections, wanted.hardStopAfterMs), ...backends];
}

/** Which servers of a backend the file has checked. */
export function listChecked(text: string, backend: string): ReadonlySet<string> {
  const section = parseSections(text).find(
    ({ kind, name }) => kind === 'backend' && name === backend,
  );
  const lines = [...(section?.defaults?.lines ?? []), ...(section?.lines ?? [])];
  const byDefault = lines
    .filter((line) => line.startsWith('default-server '))
    .some((line) => words(line).includes('check'));
  const servers = lines.map(words).filter(([keyword]) => keyword === 'server');
  return new Set(
    servers
      .filter((all) => !all.includes('no-check') && (byDefault || all.includes('check')))
      .map(([, name = '']) => name),
  );
}

function parseSections(text: string): readonly Section[] {
  const sections: (Section & { readonly lines: string[] })[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim();
    const [kind = '', ...rest] = words(line);
    if (heads.test(line)) {
      const from = rest.indexOf('from');
      const name = from === 0 ? '' : (rest[0] ?? '');
      const isProxy = /^(frontend|backend|listen|defaults)$/.test(kind);
      const defaults = sections.findLast(
        (other) =>
          other.kind === 'defaults' &&
          (from < 0 ? kind !== 'defaults' : other.name === rest[from + 1]),
      );
      sections.push({ kind, name, defaults: isProxy ? defaults : undefined, lines: [] });
    } else if (line !== '') {
      sections.at(-1)?.lines.push(line);
    }
  }
  return sections;
}

function words(line: string): readonly string[] {
  return line.split(/\s+/);
}

/** The last line with this beginning that is in force in a section; `no …` takes it back. */
function inForce(section: Section, beginning: string): string | undefined {
  const matches = (line: string): boolean => line === beginning || line.startsWith(`${beginning} `);
  const own = section.lines.findLast((line) => matches(line.replace(/^no /, '')));
  if (own !== undefined) {
    return own.startsWith('no ') ? undefined : own;
  }
  return section.defaults && inForce(section.defaults, beginning);
}

/** HAProxy reads a number without a unit as milliseconds. */
function parseTimeMs(line: string | undefined): number | undefined {
  const [, value, unit = 'ms'] = /\s(\d+)(us|ms|s|m|h|d)?$/.exec(line ?? '') ?? [];
  return value === undefined ? undefined : Number(value) * (unitsMs[unit] ?? 1);
}

function checkRedispatch(backend: Section): BalancerFinding {
  const name = `${backend.name} option redispatch`;
  return inForce(backend, 'option redispatch') === undefined
    ? {
        name,
        verdict: 'bad',
        text: 'is not set: requests stay with a node that died, and fail',
        fix: 'add `option redispatch 1` to the backend or its defaults',
      }
    : { name, verdict: 'ok', text: 'is set' };
}

function checkQueueTimeout(tier: ScaledTier, backend: Section): BalancerFinding {
  const name = `${backend.name} timeout queue`;
  const wantedMs = tier.frontend?.queueTimeoutMs ?? usualQueueTimeoutMs;
  const timeoutMs = parseTimeMs(inForce(backend, 'timeout queue'));
  const fix = `set \`timeout queue ${wantedMs}ms\` in the backend`;
  if (timeoutMs === undefined) {
    const text = 'is not set: requests wait as long as `timeout connect` says, then fail';
    return { name, verdict: 'bad', text, fix };
  }
  return timeoutMs < wantedMs
    ? { name, verdict: 'warn', text: `${timeoutMs} ms, meant are ${wantedMs} ms`, fix }
    : { name, verdict: 'ok', text: `${timeoutMs} ms` };
}

/** In all frontends that may send to the backend. */
function checkIdleClose(backend: string, sections: readonly Section[]): BalancerFinding {
  const name = `${backend} option idle-close-on-response`;
  const senders = sections.filter(
    (section) =>
      (section.kind === 'listen' && section.name === backend) ||
      (section.kind === 'frontend' &&
        section.lines.some(
          (line) => /^(default_backend|use_backend) /.test(line) && words(line)[1] === backend,
        )),
  );
  if (senders.length === 0) {
    const fix = 'let a frontend send to it: `default_backend`';
    return { name, verdict: 'warn', text: 'no frontend sends to this backend', fix };
  }
  const without = senders.filter(
    (section) => inForce(section, 'option idle-close-on-response') === undefined,
  );
  return without.length > 0
    ? {
        name,
        verdict: 'warn',
        text: `is not set in ${without.map((section) => section.name).join(', ')}: a reload resets clients that just send their next request`,
        fix: 'add it to the frontend or its defaults',
      }
    : { name, verdict: 'ok', text: 'is set' };
}

/** The daemon keeps states in the file that it writes; a state file that nobody refreshes goes before it. */
function checkStateFile(backend: Section): readonly BalancerFinding[] {
  const line = inForce(backend, 'load-server-state-from-file');
  return line === undefined || line.endsWith(' none')
    ? []
    : [
        {
          name: `${backend.name} load-server-state-from-file`,
          verdict: 'bad',
          text: 'is set: after a reload, states of an old file would go before those of the Data Plane API',
          fix: 'remove it from the backend and its defaults',
        },
      ];
}

function checkHardStop(sections: readonly Section[], wantedMs: number): BalancerFinding {
  const name = 'hard-stop-after';
  const global = sections.find(({ kind }) => kind === 'global');
  const timeMs = parseTimeMs(global?.lines.findLast((line) => line.startsWith(`${name} `)));
  const fix = `set \`hard-stop-after ${wantedMs}ms\` in \`global\`, as \`hardStopAfter\` says`;
  if (timeMs === undefined) {
    const text =
      'is not set: workers from before a reload live on with their connections, and count as gone';
    return { name, verdict: 'bad', text, fix };
  }
  return timeMs > wantedMs
    ? { name, verdict: 'bad', text: `${timeMs} ms, \`hardStopAfter\` is only ${wantedMs} ms`, fix }
    : { name, verdict: 'ok', text: `${timeMs} ms` };
}
