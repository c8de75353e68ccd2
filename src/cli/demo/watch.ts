import { createSystemClock } from '../../control/clock.ts';
import type { BackendReport } from '../../control/ports.ts';
import type { LoadRun } from '../../embedded/load-generator.ts';
import { parseNodeNumber } from '../../scaler/cluster.ts';
import { say } from '../print.ts';
import type { Moment } from './timeline.ts';
import type { DemoWorld } from './world.ts';

export const LOOK_INTERVAL_MS = 100;
const FIRST_NODES_DEADLINE_MS = 30_000;

/** Looks at the balancer all the time, as a visitor's friend in the machine room would. */
export class Watch {
  readonly timeline: Moment[] = [];
  readonly #world: DemoWorld;
  #run: LoadRun | undefined;
  #report: BackendReport | undefined;

  constructor(world: DemoWorld) {
    this.#world = world;
  }

  begin(run: LoadRun): void {
    this.#run = run;
  }

  /** Adds a moment. HAProxy does not answer for an instant while it reloads: then the last one is repeated. */
  async look(): Promise<Moment> {
    const { balancer, tier } = this.#world;
    try {
      const snapshot = await balancer.inspect(AbortSignal.timeout(1_000));
      this.#report = snapshot.backends.get(tier.backend);
    } catch {
      // The figures are about visitors; what they see is counted by the load.
    }
    const run = this.#run;
    const moment = {
      atSeconds: (run?.elapsedMs ?? 0) / 1000,
      intendedRps: run?.intendedRps ?? 0,
      nodesInService: this.#inService(),
      queued: this.#report?.queued ?? 0,
    };
    if (run !== undefined) {
      this.timeline.push(moment);
    }
    return moment;
  }

  async waitForNodes(nodes: number, signal: AbortSignal): Promise<void> {
    const clock = createSystemClock();
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(FIRST_NODES_DEADLINE_MS)]);
    say(`waiting for the first ${nodes} nodes`);
    while ((await this.look()).nodesInService < nodes) {
      if (signal.aborted) {
        throw new Error('interrupted before the load began');
      }
      if (deadline.aborted) {
        throw new Error(`the first ${nodes} nodes did not come; logs are in ${this.#world.folder}`);
      }
      await clock.sleep(LOOK_INTERVAL_MS, deadline).catch(() => undefined);
    }
  }

  isBackAt(nodes: number): boolean {
    return this.#inRotation() === nodes && this.#outOfMaintenance() === nodes;
  }

  /** Servers and domains beside those in service, once the nodes are back at the minimum. */
  async findLeftovers(): Promise<readonly string[]> {
    await this.look();
    const servers = this.#outOfMaintenance() - this.#inRotation();
    let domains = -this.#inRotation();
    for (const hypervisor of this.#world.hypervisors) {
      const snapshot = await hypervisor.inspect(AbortSignal.timeout(1_000));
      domains += snapshot.domains.filter(
        ({ name }) => parseNodeNumber(this.#world.tier, name) !== undefined,
      ).length;
    }
    return [
      ...Array.from({ length: Math.max(0, servers) }, () => 'a server that is out of maintenance'),
      ...Array.from({ length: Math.max(0, domains) }, () => 'a node that is not in service'),
    ];
  }

  #inService(): number {
    const servers = this.#report?.servers ?? [];
    return servers.filter(({ admin, check }) => admin === 'ready' && check !== 'failed').length;
  }

  #inRotation(): number {
    return (this.#report?.servers ?? []).filter(({ admin }) => admin === 'ready').length;
  }

  #outOfMaintenance(): number {
    return (this.#report?.servers ?? []).filter(({ admin }) => admin !== 'maint').length;
  }
}
