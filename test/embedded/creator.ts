/** Makes one node and then waits to be killed: a Rackfire that dies without a word. */

import { createSystemClock } from '../../src/control/clock.ts';
import type { BootOrder } from '../../src/control/ports.ts';
import {
  createEmbeddedHypervisor,
  type EmbeddedHypervisorOptions,
} from '../../src/embedded/hypervisor.ts';

const options = JSON.parse(process.argv[2] ?? '') as EmbeddedHypervisorOptions;
const order = JSON.parse(process.argv[3] ?? '') as BootOrder;
// A clock does not survive being written down.
const hypervisor = createEmbeddedHypervisor({ ...options, clock: createSystemClock() });
await hypervisor.create(order, new AbortController().signal);
process.stdout.write('made\n');
setInterval(() => {}, 60_000);
