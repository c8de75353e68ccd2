/** The HAProxies that send traffic to the nodes, and how each is reached. */

import { z } from 'zod';
import { isLoopback, parseAddress } from './addresses.ts';
import { describeChoice, show } from './problems.ts';
import { absolutePath, duration, name, refused, section } from './values.ts';

/** The kernel's limit for the path of a socket, without the closing zero. @see unix(7), sun_path */
const maxSocketPathLength = 107;

const runtimeOnly = refused('has no meaning with `driver: dataplane`; remove it');
const dataplaneOnly = refused('has no meaning with `driver: runtime`; remove it');

const balancerName = name().describe('Unique; stands in logs, metrics and commands.');

const runtimeBalancer = section({
  name: balancerName,
  driver: z.literal('runtime').describe("By HAProxy's stats socket."),
  url: dataplaneOnly,
  credentialsFile: dataplaneOnly,
  tls: dataplaneOnly,
  socket: absolutePath(maxSocketPathLength).describe('Stats socket, level admin.'),
  masterSocket: absolutePath(maxSocketPathLength)
    .optional()
    .describe('Master socket (`haproxy -S`); tells for certain when old workers are gone.'),
  stateFile: absolutePath(255).describe("HAProxy's `server-state-file`; Rackfire writes it."),
  hardStopAfter: duration('1s')
    .default('60s')
    .describe("HAProxy's `hard-stop-after`; without a master socket old workers live this long."),
});

const dataplaneBalancer = section({
  name: balancerName,
  driver: z.literal('dataplane').describe("By HAProxy's Data Plane API."),
  url: dataplaneUrl().describe(
    'Where the daemon listens, such as https://10.0.0.5:5555; `http` on loopback only.',
  ),
  credentialsFile: absolutePath(255).describe(
    'One line `user:password`, in a file that not everybody may read.',
  ),
  tls: section({
    caFile: absolutePath(255)
      .optional()
      .describe("Certificates (PEM) that the daemon's is signed by. Default: the system's."),
    certFile: absolutePath(255).optional().describe('Certificate (PEM) that Rackfire shows.'),
    keyFile: absolutePath(255).optional().describe('Its private key (PEM), without passphrase.'),
  })
    .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
      error: 'needs both `certFile` and `keyFile`, or none of them',
    })
    .optional()
    .describe('How `https` is checked, and what the daemon may ask for.'),
  socket: runtimeOnly,
  masterSocket: runtimeOnly,
  stateFile: runtimeOnly,
  hardStopAfter: duration('1s')
    .default('60s')
    .describe(
      "HAProxy's `hard-stop-after`; after a reload, old workers are taken to live so long.",
    ),
});

/** A balancer as it stands in the file, defaults filled in. */
export const WrittenBalancer = z.discriminatedUnion(
  'driver',
  [runtimeBalancer, dataplaneBalancer],
  {
    error: ({ code, input }) => {
      if (code !== 'invalid_union') {
        return `expected a section with \`name\`, \`driver\` …, got ${show(input)}`;
      }
      return typeof input === 'object' && input !== null && 'driver' in input
        ? describeChoice(['runtime', 'dataplane'], input.driver)
        : '`driver` is missing: `runtime` or `dataplane`';
    },
  },
);
export type WrittenBalancer = z.output<typeof WrittenBalancer>;

/** Where the daemon listens. What it is told has the password with it, so it is not sent in the clear. */
function dataplaneUrl() {
  const noun = 'a URL such as https://10.0.0.5:5555, without a path';
  const error = ({ input }: { readonly input?: unknown }): string | undefined => {
    if (input === undefined) {
      return undefined;
    }
    // Not shown: whoever writes an @ there probably wrote a password before it.
    return typeof input === 'string' && input.includes('@')
      ? 'must not have a user name or a password: they belong in `credentialsFile`'
      : `expected ${noun}, got ${show(input)}`;
  };
  return z
    .string({ error })
    .max(300, { error, abort: true })
    .regex(/^https?:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?\/?$/, {
      error,
      abort: true,
    })
    .refine((value) => URL.canParse(value), { error, abort: true })
    .refine((value) => value.startsWith('https:') || isLocal(new URL(value).hostname), {
      error: ({ input }) =>
        `must be https:// where the host is not this machine (the password goes with each request), got ${show(input)}`,
    });
}

function isLocal(host: string): boolean {
  const address = parseAddress(host);
  return (
    host === 'localhost' ||
    host === '[::1]' ||
    (address !== undefined && isLoopback({ first: address, last: address }))
  );
}
