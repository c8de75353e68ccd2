/**
 * The kinds of value that the config has. What reaches HAProxy or a kernel command line is held to a list
 * of allowed characters, so that no value can end a line there and begin another.
 */

import { z } from 'zod';
import { isLoopback, parseAddress, parseRange } from './addresses.ts';
import { describeChoice, describeUnknownKey, show } from './problems.ts';
import {
  amountPattern,
  durationPattern,
  expectedAmount,
  expectedDuration,
  parseAmountMiB,
  parseDurationMs,
} from './units.ts';

/** What the JSON Schema does not say of a value, for the reference (docs/config.md). */
export const valueNotes = z.registry<{ readonly kind?: string; readonly range?: string }>();

/** No duration is longer: beyond it a timer of Node or HAProxy would overflow. */
const maxDuration = '7d';

/**
 * A section with exactly these keys; any other is an error that says which one was probably meant.
 *
 * @param missing - What to say when the section is not there, where the general words do not say enough.
 */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape, missing?: string) {
  const known = Object.keys(shape).filter((key) => !isRefused(shape[key]));
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys
          .map((key) => describeUnknownKey(key, known, findBelow(shape, key)))
          .join('\n');
      }
      if (issue.input === undefined) {
        return missing;
      }
      const keys = known.slice(0, 3).map((key) => `\`${key}\``);
      return expected(
        `a section with ${keys.join(', ')}${known.length > 3 ? ' …' : ''}`,
        issue.input,
      );
    },
  });
}

/** A key that is understood and refused, with the reason. It is never taken for a typo and never ignored. */
export function refused(message: string) {
  return z.never({ error: message }).optional();
}

/** A key of the vocabulary that this version cannot act on: better refused than silently without effect. */
export function notBuiltYet(key: string) {
  return refused(`\`${key}\` is not built yet in this version; remove it`);
}

/** One of `words`; `later` are words of the vocabulary that this version cannot act on. */
export function choice<const Words extends readonly [string, ...string[]]>(
  words: Words,
  later: readonly string[] = [],
) {
  const possible = words.map((word) => `\`${word}\``).join(' or ');
  return z.enum(words, {
    error: ({ input }) =>
      typeof input === 'string' && later.includes(input)
        ? `\`${input}\` is not built yet in this version; ${possible} is`
        : describeChoice(words, input),
  });
}

/** Text of allowed characters; `noun` is what the message says was expected. */
export function text(pattern: RegExp, noun: string) {
  const error = ({ input }: { readonly input?: unknown }) => expected(noun, input);
  return z
    .string({ error })
    .regex(pattern, { error, abort: true })
    .register(valueNotes, { range: noun });
}

/** Installations, hosts, balancers, clusters, tiers, sizes, images: part of domain and server names. */
export function name() {
  return text(
    /^[a-z][a-z0-9-]{0,39}$/,
    'a name of a-z, 0-9 and -, a letter first, at most 40 characters',
  );
}

/** An absolute path without anything that a line of HAProxy's config would have to escape. */
export function absolutePath(maxLength: number) {
  return text(
    new RegExp(String.raw`^(?=.{2,${maxLength}}$)(/[A-Za-z0-9._@+-]+)+$`),
    `an absolute path of at most ${maxLength} letters, digits and . _ @ + -`,
  );
}

/**
 * A path on a dom0. It becomes part of a request there, which knows no other.
 *
 * @see docs/xen.md, Requests
 */
export function domZeroPath() {
  return absolutePath(200).refine((path) => !/\.\.|\/\.(?:\/|$)/.test(path), {
    error: ({ input }) => `must be a path without \`..\` and \`/./\`, got ${show(input)}`,
  });
}

/** A volume as LVM names it, `group/volume`. Those of nodes begin with `rackfire-`. @see lvm(8), VALID NAMES */
export function lvmVolume() {
  return text(
    /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_+.-]{0,63}\/(?!rackfire-)[A-Za-z0-9][A-Za-z0-9_+.-]{0,63}$/,
    'a volume such as vg0/drupal-web, that is not the disk of a node (rackfire-…)',
  );
}

/** An IPv4 address, or a host name, with a port where one is said. */
export function hostAddress() {
  const noun = 'an IPv4 address or a host name, such as 10.0.0.11 or xen-a.example.org:22';
  return text(
    /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[1-9][0-9]{0,4})?$/,
    noun,
  ).refine(
    (value) => {
      const [host = '', port = '22'] = value.split(':');
      const isName = !/^[0-9.]+$/.test(host) && !/\.\.|\.-|-\./.test(host);
      return Number(port) <= 65_535 && (isName || parseAddress(host) !== undefined);
    },
    { error: ({ input }) => expected(noun, input) },
  );
}

/** One IPv4 address. */
export function ipv4() {
  const noun = 'an IPv4 address such as 10.0.1.1';
  return text(/^[0-9.]{7,15}$/, noun).refine((value) => parseAddress(value) !== undefined, {
    error: ({ input }) => expected(noun, input),
  });
}

/** CPUs of a node, or of an embedded host. */
export function vcpus(atMost = 4_096) {
  return count(1, atMost).describe('Virtual CPUs; never oversold.');
}

/** A whole number with bounds, both possible. @param kind - What is counted, where that is always the same. */
export function count(atLeast: number, atMost: number, kind?: string) {
  const counted = z.int().min(atLeast).max(atMost);
  return kind === undefined ? counted : counted.register(valueNotes, { kind });
}

/** A duration with bounds, both possible. */
export function duration(atLeast: string, atMost: string = maxDuration) {
  return text(durationPattern, expectedDuration)
    .refine((value) => parseDurationMs(value) >= parseDurationMs(atLeast), {
      error: ({ input }) => `must be at least ${atLeast}, got ${String(input)}`,
      abort: true,
    })
    .refine((value) => parseDurationMs(value) <= parseDurationMs(atMost), {
      error: ({ input }) => `must be at most ${atMost}, got ${String(input)}`,
    })
    .register(valueNotes, { kind: 'duration', range: `${atLeast} to ${atMost}` });
}

/** A duration, or `auto`. */
export function durationOrAuto(atLeast = '0s') {
  return text(new RegExp(`^auto$|${durationPattern.source}`), `\`auto\` or ${expectedDuration}`)
    .refine((value) => value === 'auto' || parseDurationMs(value) >= parseDurationMs(atLeast), {
      error: ({ input }) => `must be at least ${atLeast}, got ${String(input)}`,
      abort: true,
    })
    .refine((value) => value === 'auto' || parseDurationMs(value) <= parseDurationMs(maxDuration), {
      error: ({ input }) => `must be at most ${maxDuration}, got ${String(input)}`,
    })
    .register(valueNotes, {
      kind: '`auto` or duration',
      range: `${atLeast} to ${maxDuration}`,
    });
}

/** Memory or disk, with bounds that are possible. */
export function amount(atLeast: string, atMost?: string) {
  return text(amountPattern, expectedAmount)
    .refine((value) => parseAmountMiB(value) >= parseAmountMiB(atLeast), {
      error: ({ input }) => `must be at least ${atLeast}, got ${String(input)}`,
      abort: true,
    })
    .refine((value) => atMost === undefined || parseAmountMiB(value) <= parseAmountMiB(atMost), {
      error: ({ input }) => `must be at most ${atMost ?? ''}, got ${String(input)}`,
    })
    .register(valueNotes, {
      kind: 'amount',
      range: atMost === undefined ? `from ${atLeast}` : `${atLeast} to ${atMost}`,
    });
}

/** An inclusive range of IPv4 addresses. */
export function addressRange() {
  return text(/^[0-9.-]{1,64}$/, 'IPv4 addresses such as 10.0.1.20-10.0.1.51').superRefine(
    (value, context) => {
      const range = parseRange(value);
      if ('problem' in range) {
        context.addIssue({ code: 'custom', message: range.problem });
      }
    },
  );
}

/** Where HAProxy listens: `*:80`, `:80` or `127.0.0.1:8080`. */
export function bind() {
  const noun = 'an address and port such as *:80, :80 or 127.0.0.1:8080';
  return text(/^(\*|[0-9.]{7,15})?:[1-9][0-9]{0,4}$/, noun).refine(
    (value) => {
      const [host = '', port] = value.split(':');
      return Number(port) <= 65_535 && (/^\*?$/.test(host) || parseAddress(host) !== undefined);
    },
    { error: ({ input }) => expected(noun, input) },
  );
}

/** Where Rackfire itself listens. Port 0 lets the system choose. */
export function loopbackListen() {
  const noun = 'an address and port such as 127.0.0.1:9500';
  return text(/^[0-9.]{7,15}:[0-9]{1,5}$/, noun).superRefine((value, context) => {
    const [host = '', port] = value.split(':');
    const address = parseAddress(host);
    if (address === undefined || Number(port) > 65_535) {
      context.addIssue({ code: 'custom', message: `expected ${noun}, got ${show(value)}` });
    } else if (!isLoopback({ first: address, last: address })) {
      context.addIssue({
        code: 'custom',
        message: `must be a loopback address (127.0.0.0/8), got ${host}: whoever reaches it is trusted`,
      });
    }
  });
}

/** Nothing, when the value is missing: then the general words fit better. */
function expected(noun: string, input: unknown): string | undefined {
  return input === undefined ? undefined : `expected ${noun}, got ${show(input)}`;
}

/** The sections below that have the key, as dotted paths: who writes one a level too high is told where it belongs. */
function findBelow(shape: z.core.$ZodLooseShape, key: string): readonly string[] {
  return Object.entries(shape).flatMap(([below, schema]) => {
    const inner = shapeOf(schema);
    if (inner === undefined) {
      return [];
    }
    const isHere = Object.hasOwn(inner, key) && !isRefused(inner[key]);
    return [...(isHere ? [below] : []), ...findBelow(inner, key).map((path) => `${below}.${path}`)];
  });
}

/** Of a section, whether it may be left out or not. */
function shapeOf(schema: unknown): z.core.$ZodLooseShape | undefined {
  if (schema instanceof z.ZodObject) {
    return schema.shape;
  }
  return schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
    ? shapeOf(schema.unwrap())
    : undefined;
}

function isRefused(schema: unknown): boolean {
  return schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodNever;
}
