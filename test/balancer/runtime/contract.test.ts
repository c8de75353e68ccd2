import { join } from 'node:path';
import { openGate } from '../../weather/socket-gate.ts';
import { describePort, describeTraffic, NODES } from '../contract.ts';
import { startHaproxy } from '../haproxy-rig.ts';
import { MAX_CONNECTIONS, RealContractSite } from '../real-site.ts';
import { balancerOf, configFor, pickPorts } from './lab.ts';

async function startSite(): Promise<RealContractSite> {
  const ports = await pickPorts();
  const rig = await startHaproxy(
    configFor(ports, { nodes: NODES, maxConnections: MAX_CONNECTIONS }),
  );
  const gate = await openGate(join(rig.folder, 'gate.sock'), rig.socketPath);
  return new RealContractSite({
    rig,
    ports,
    balancer: balancerOf(rig, { socketPath: join(rig.folder, 'gate.sock') }),
    countOrders: () => gate.asked.join('').match(/set server/g)?.length ?? 0,
    cutOff: () => rig.kill(),
    restore: () => rig.start(),
    dispose: () => gate[Symbol.asyncDispose](),
  });
}

describePort('the runtime socket', startSite);
describeTraffic('the runtime socket', startSite);
