import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Dom0 } from './dom0.ts';
import { print } from './print.ts';
import { CALM, expectNoResidue, lab, scenario } from './scenario.ts';
import { type LabSite, PATIENCE_MS } from './site.ts';
import { SshGate } from './ssh-gate.ts';

const [host] = lab.hosts;
/** Between Rackfire and this host; known by the same key there. */
const GATE_PORT = 2_201;
const KNOWN_HOSTS = join(mkdtempSync(join(tmpdir(), 'rackfire-gate-')), 'known_hosts');

afterAll(() => rmSync(dirname(KNOWN_HOSTS), { recursive: true }));

scenario(
  'Rackfire is killed while a guest is made, while it warms up and while it is destroyed: each goes on where it stood',
  ({ targetRps }) => ({ minNodes: 1, maxNodes: 2, targetRps, hosts: [{ index: 0 }] }),
  async (site, { targetRps }) => {
    const first = site.nodeName(1);
    const second = site.nodeName(2);

    let service = await site.startService();
    await begins(host, 'create', first);
    await service.kill();
    print(`killed while ${first} was made`);
    service = await site.startService();
    const firstDomain = await onlyDomain(site, first);
    await site.untilConverged(1);
    expect(await onlyDomain(site, first), 'the guest that was being made').toBe(firstDomain);

    const load = site.load(1.6 * targetRps);
    await service.told(
      ({ msg, action, node }) => msg === 'action done' && action === 'boot' && node === second,
      0,
      PATIENCE_MS,
    );
    await service.kill();
    print(`killed while ${second} warmed up`);
    const secondDomain = await onlyDomain(site, second);
    service = await site.startService();
    await site.untilConverged(2);
    expect(await onlyDomain(site, second), 'the guest that warmed up').toBe(secondDomain);

    load.change(CALM * targetRps);
    await begins(host, 'destroy', second);
    await service.kill();
    print(`killed while ${second} was destroyed`);
    service = await site.startService();
    await site.untilConverged(1);
    expect(await onlyDomain(site, first), 'the guest that stays').toBe(firstDomain);
    await expectNoResidue(site, [first]);
  },
);

scenario(
  'the SSH connection is cut while a guest is made: the guest that comes up anyway is taken, not made twice',
  ({ targetRps }) => ({
    minNodes: 1,
    maxNodes: 2,
    targetRps,
    hosts: [{ index: 0, through: { port: GATE_PORT, knownHostsFile: KNOWN_HOSTS } }],
  }),
  async (site) => {
    const name = site.nodeName(1);
    const known = readFileSync(`${lab.keys}/known_hosts`, 'utf8');
    writeFileSync(KNOWN_HOSTS, known.replace(/^\S+/, `[127.0.0.1]:${GATE_PORT}`));
    await using gate = await SshGate.open(GATE_PORT, host.address);
    const service = await site.startService();
    await begins(host, 'create', name);
    expect(gate.cut(), 'connections cut').toBeGreaterThan(0);
    const domain = await onlyDomain(site, name);
    await site.untilConverged(1);
    expect(await onlyDomain(site, name)).toBe(domain);
    const boots = service.found(({ msg, action }) => msg === 'action started' && action === 'boot');
    expect(boots).toHaveLength(1);
    await expectNoResidue(site, [name]);
  },
);

/** Waits until the host carries out this order, and has got so far that something of it is seen. */
async function begins(dom0: Dom0, verb: 'create' | 'destroy', name: string): Promise<void> {
  const file = `/run/rackfire/operations/${name}`;
  const seen = verb === 'create' ? `[ -e /srv/rackfire/disks/${name}.img ]` : 'true';
  await dom0.must(`until grep -qs ^${verb} ${file} && ${seen}; do sleep 0.05; done`);
}

/** Waits for the domain of this name. @returns Its number, which no other one ever has. */
async function onlyDomain(site: LabSite, name: string): Promise<number> {
  const view = await site.until(`there is a domain ${name}`, ({ domains }) =>
    domains.some((one) => one.name === name && one.memoryMiB > 0),
  );
  return view.domains.find((one) => one.name === name)?.id ?? 0;
}
