/** Which one of several Rackfires acts: a lock of one machine, or a Lease that replicas share. */

import { z } from 'zod';
import { describeChoice, show } from './problems.ts';
import { absolutePath, duration, refused, section, text } from './values.ts';

const fileOnly = refused('has no meaning with `driver: kubernetes`; remove it');
const kubernetesOnly = refused('has no meaning with `driver: file`; remove it');

const fileLeadership = section({
  driver: z
    .literal('file')
    .default('file')
    .describe('A lock on this machine, for Rackfires that run on it.'),
  path: absolutePath(255)
    .default('/run/rackfire/leader')
    .describe('The lock file, on a local disk; one for each installation.'),
  namespace: kubernetesOnly,
  name: kubernetesOnly,
  leaseDuration: kubernetesOnly,
  renewDeadline: kubernetesOnly,
  retryPeriod: kubernetesOnly,
});

const kubernetesLeadership = section({
  driver: z.literal('kubernetes').describe("A Lease of Kubernetes' API, for replicas anywhere."),
  path: fileOnly,
  namespace: kubernetesName().default('rackfire').describe('Where the Lease is.'),
  name: kubernetesName()
    .default('rackfire')
    .describe('Of the Lease, which is made when it is not there; one for each installation.'),
  leaseDuration: duration('2s', '60s')
    .default('15s')
    .describe(
      'Whole seconds. When the holder has not renewed for so long, another one takes over.',
    ),
  renewDeadline: duration('500ms')
    .default('10s')
    .describe('A leader that could not renew for so long stops. Shorter than `leaseDuration`.'),
  retryPeriod: duration('100ms')
    .default('2s')
    .describe(
      'Between two tries to renew or to take over. 1.2 times it is shorter than `renewDeadline`.',
    ),
});

/** The section as it stands in the file, defaults filled in. */
export const WrittenLeadership = z.discriminatedUnion(
  'driver',
  [fileLeadership, kubernetesLeadership],
  {
    error: ({ code, input }) => {
      if (code !== 'invalid_union') {
        return `expected a section with \`driver\` …, got ${show(input)}`;
      }
      return typeof input === 'object' && input !== null && 'driver' in input
        ? describeChoice(['file', 'kubernetes'], input.driver)
        : undefined;
    },
  },
);
export type WrittenLeadership = z.output<typeof WrittenLeadership>;

/** @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/, DNS Label Names */
function kubernetesName() {
  return text(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'a name of a-z, 0-9 and -, at most 63 characters, a letter or digit first and last',
  );
}
