import { expect } from 'vitest';
import { memoryOnXenMiB } from '../../src/scaler/guest-memory.ts';
import type { WeatherLoad } from '../weather/weather-load.ts';
import { bootHost, crashHost } from './lab.ts';
import { print } from './print.ts';
import { CALM, expectNoResidue, lab, scenario } from './scenario.ts';
import { NODE_MIB } from './site-config.ts';
import type { View } from './watch.ts';

const GUEST_MIB = memoryOnXenMiB(NODE_MIB, 1);
const ROOM_FOR_NODES = 3;
const LAB_HOST_FREE_MIB = 1_256;
/** Leaves room for three nodes and not for a fourth. */
const RESERVE_MIB = LAB_HOST_FREE_MIB - ROOM_FOR_NODES * GUEST_MIB - Math.floor(GUEST_MIB / 2);

scenario(
  'a host dies in a storm: the other one gives what it has and no more, nobody but those it was just answering is failed, and all is well when it returns',
  ({ targetRps }) => ({
    minNodes: 2,
    maxNodes: 4,
    targetRps,
    hosts: [
      { index: 0, reserveMiB: RESERVE_MIB },
      { index: 1, reserveMiB: RESERVE_MIB },
    ],
    // All the room there is may be had: what would be kept free for a loss is another matter.
    file: { placement: { hostFailuresToTolerate: 0 } },
  }),
  async (site, { targetRps }) => {
    const [stays, dies] = lab.hosts;
    await site.startService();
    await site.untilConverged(2);
    const load = site.load(3.6 * targetRps, { mayFail: true });
    await site.until('three serve', ({ inService }) => inService.length >= 3);

    const slots = namesOn(dies.name, site.watch.latest).length * site.tier.maxConnections;
    await crashHost(dies);
    const diedMs = performance.now();
    const sentBefore = load.run.due;
    await site.until(
      `${stays.name} is full, and its nodes are all that serve`,
      (view) =>
        view.inService.length === ROOM_FOR_NODES &&
        view.inService.every((name) => namesOn(stays.name, view).includes(name)),
    );
    print(
      `the other host is full ${((performance.now() - diedMs) / 1_000).toFixed(1)} s after the death`,
    );
    // One more is wanted all the time, and must not come: the watch holds it to the reserve.
    await site.lasts(20_000);
    expect(namesOn(stays.name, site.watch.latest)).toHaveLength(ROOM_FOR_NODES);

    // Its disks are those that it had, with the marks and disks of the nodes that died with it.
    await bootHost(dies);
    const backMs = performance.now();
    await site.untilConverged(4);
    const names = (site.watch.latest?.inService ?? []).toSorted();
    await expectNoResidue(site, names);
    print(
      `four serve again ${((performance.now() - backMs) / 1_000).toFixed(1)} s after its return`,
    );

    load.change(CALM * targetRps);
    expectOnlyCutAnswers(load, { sentBefore, slots });
    const view = await site.untilConverged(2);
    await expectNoResidue(site, view.inService);
    for (const [host, freeMiB] of site.watch.minFreeMiB) {
      print(
        `${host} never had less than ${freeMiB} MiB free, of which nodes must leave ${RESERVE_MIB}`,
      );
    }
  },
);

function namesOn(host: string, view: View | undefined): readonly string[] {
  return view?.hosts.get(host)?.domains.map(({ name }) => name) ?? [];
}

/** Half an answer cannot be sent again. Everybody else is, to another node, and waits. */
function expectOnlyCutAnswers(
  { run }: WeatherLoad,
  { sentBefore, slots }: { readonly sentBefore: number; readonly slots: number },
): void {
  const { count = 0, samples = [] } = run.failures.get('connection') ?? {};
  expect(run.failed, 'failed for another reason than a cut answer').toBe(count);
  expect(count, 'answers cut by the death').toBeLessThanOrEqual(slots);
  const lastMs = run.latencies.intendedMs[sentBefore] ?? Number.POSITIVE_INFINITY;
  const late = samples.filter(({ intendedMs }) => intendedMs > lastMs);
  expect(late, 'failed though they came after the death').toEqual([]);
}
