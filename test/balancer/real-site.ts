/** The world of the contract with a real HAProxy and real nodes, whoever drives it. */

import type { LoadBalancer } from '../../src/control/ports.ts';
import type { RealSite } from './contract.ts';
import type { HaproxyRig } from './haproxy-rig.ts';
import { openRequest, type Ports, see } from './runtime/lab.ts';
import { until, WebNode } from './site.ts';

/** More waits in the backend's queue. */
export const MAX_CONNECTIONS = 2;
const OVERLOAD_REQUESTS = 10;

export interface RealSiteParts {
  readonly rig: HaproxyRig;
  readonly ports: Ports;
  readonly balancer: LoadBalancer;
  readonly countOrders: () => number;
  readonly cutOff: () => Promise<void>;
  readonly restore: () => Promise<void>;
  /** Ends what stands beside HAProxy. */
  readonly dispose: () => Promise<void>;
}

export class RealContractSite implements RealSite {
  readonly balancer: LoadBalancer;
  readonly frontPort: number;
  readonly #parts: RealSiteParts;
  readonly #nodes = new Map<number, WebNode>();

  constructor(parts: RealSiteParts) {
    this.balancer = parts.balancer;
    this.frontPort = parts.ports.frontPort;
    this.#parts = parts;
  }

  async startNode(number: number): Promise<WebNode> {
    const known = this.#nodes.get(number);
    if (known !== undefined) {
      return known;
    }
    const node = await WebNode.start(`127.0.0.${number + 1}`, this.#parts.ports.nodePort);
    this.#nodes.set(number, node);
    return node;
  }

  async stopNode(number: number): Promise<void> {
    await this.#nodes.get(number)?.[Symbol.asyncDispose]();
    this.#nodes.delete(number);
  }

  async hold(number: number): Promise<AsyncDisposable> {
    const held = await this.#send(number, 1);
    await until(
      () => see(this.balancer, number),
      (server) => (server?.sessions ?? 0) > 0,
    );
    return held;
  }

  async overload(): Promise<AsyncDisposable> {
    return await this.#send(1, OVERLOAD_REQUESTS);
  }

  async cutOff(): Promise<void> {
    await this.#parts.cutOff();
  }

  async restore(): Promise<void> {
    await this.#parts.restore();
  }

  freeze(): void {
    this.#signalWorker('SIGSTOP');
  }

  thaw(): void {
    this.#signalWorker('SIGCONT');
  }

  async reload(): Promise<void> {
    await this.#parts.rig.reload();
  }

  countOrders(): number {
    return this.#parts.countOrders();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.dispose();
    await this.#parts.rig[Symbol.asyncDispose]();
    await Promise.all([...this.#nodes.keys()].map((number) => this.stopNode(number)));
  }

  /** Requests at node `number` that are answered, all of them, when it is disposed of. */
  async #send(number: number, count: number): Promise<AsyncDisposable> {
    const node = await this.startNode(number);
    node.hold();
    const { requests } = node;
    const answers = Array.from({ length: count }, () => openRequest(this.frontPort));
    const settled = Promise.allSettled(answers);
    await until(
      () => node.requests - requests,
      (arrived) => arrived >= Math.min(count, MAX_CONNECTIONS),
    );
    return {
      [Symbol.asyncDispose]: async () => {
        node.release();
        const bad = (await settled).filter((one) => one.status === 'rejected' || one.value !== 200);
        if (bad.length > 0) {
          throw new Error(`not answered: ${JSON.stringify(bad)}`);
        }
      },
    };
  }

  #signalWorker(signal: NodeJS.Signals): void {
    const pid = this.#parts.rig.workerPids().at(-1);
    if (pid !== undefined) {
      process.kill(pid, signal);
    }
  }
}
