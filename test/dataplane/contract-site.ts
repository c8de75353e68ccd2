/** The world of the contract with a Data Plane API daemon beside HAProxy. */

import { startDaemonSite } from '../balancer/dataplane/daemon-site.ts';
import { countOrders, type HttpGate, type Reply } from '../balancer/dataplane/http-gate.ts';
import { RealContractSite } from '../balancer/real-site.ts';

export async function startContractSite(generation: 'v2' | 'v3'): Promise<RealContractSite> {
  const site = await startDaemonSite(generation, { hardStopAfterMs: 60_000 });
  age(site.gate, site.rig.workerPids());
  return new RealContractSite({
    rig: site.rig,
    ports: site.ports,
    balancer: site.balancer,
    countOrders: () => countOrders(site.gate),
    cutOff: () => site.daemon.stop(),
    restore: () => site.daemon.start(),
    dispose: async () => {
      await site[Symbol.asyncDispose]();
    },
  });
}

/** These workers have run for long: nothing of before them can be left. */
function age(gate: HttpGate, pids: readonly number[]): void {
  const muchMs = 1_000_000;
  gate.reword = ({ path }, reply): Reply => {
    const pid = Number(/"pid":\s*(\d+)/.exec(reply.body ?? '')?.[1]);
    return path.endsWith('/runtime/info') && pids.includes(pid)
      ? { ...reply, body: (reply.body ?? '').replace(/"uptime":\s*/, `$&${muchMs / 1_000}`) }
      : reply;
  };
}
