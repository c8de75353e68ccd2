import { expect, test } from 'vitest';
import { startLab } from './lab.ts';

test('scale out and in', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5_000);
  console.log(lab.world.domains, lab.world.calls, lab.nodes);
  lab.world.rps = 400;
  await lab.clock.step(30_000);
  console.log(lab.world.domains, lab.world.calls, lab.inService());
  lab.world.rps = 100;
  await lab.clock.step(120_000);
  console.log(lab.world.domains, lab.world.calls, lab.inService());
});
test('balancer silent 30 s', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40_000);
  lab.world.calls.length = 0;
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(30_000);
  console.log('SILENT', lab.world.domains, lab.world.calls, lab.nodes.map(n=>n.phase));
  lab.world.balancer.silent = 'no';
  await lab.clock.step(90_000);
  console.log('BACK', lab.world.domains, lab.world.calls, lab.nodes.map(n=>n.phase));
});
test('create hangs, domain made', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5_000);
  for (const h of lab.world.hosts) h.createFault = 'hang';
  lab.world.rps = 230;
  await lab.clock.step(30_000);
  console.log('HANG', lab.world.domains, lab.world.calls, lab.nodes.map(n=>n.phase));
});
