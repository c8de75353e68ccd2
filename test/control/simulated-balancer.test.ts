import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/control/clock.ts';
import { type ContractSite, describePort, NODES } from '../balancer/contract.ts';
import { type SimulatedBalancer, SimulatedWorld } from './simulated-world.ts';
import { makeTier } from './site.ts';

/** Whoever sleeps has slept at once, and time has passed. */
class EagerClock implements Clock {
  #nowMs = 1_000_000;

  steadyMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await turn();
    this.#nowMs += ms;
  }
}

class SimulatedSite implements ContractSite {
  readonly balancer: SimulatedBalancer;
  readonly #world: SimulatedWorld;

  constructor() {
    const tier = makeTier({ minNodes: 1 }, { addresses: NODES });
    this.#world = new SimulatedWorld(new EagerClock(), tier);
    this.balancer = this.#world.balancer;
  }

  startNode(number: number): Promise<void> {
    const { size } = this.#world.tier;
    this.#world.host().addDomain({ ...size, name: `news-web-${number}`, bornMs: 1 }, true);
    return Promise.resolve();
  }

  stopNode(number: number): Promise<void> {
    this.#world.host().domains.delete(`news-web-${number}`);
    return Promise.resolve();
  }

  hold(number: number): Promise<AsyncDisposable> {
    const { held } = this.balancer;
    held.set(`news-web-${number}`, 1);
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        held.delete(`news-web-${number}`);
        return Promise.resolve();
      },
    });
  }

  overload(): Promise<AsyncDisposable> {
    this.#world.rps = 300;
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        this.#world.rps = 0;
        return Promise.resolve();
      },
    });
  }

  cutOff(): Promise<void> {
    this.balancer.silent = 'unreachable';
    return Promise.resolve();
  }

  restore(): Promise<void> {
    this.balancer.silent = 'no';
    return Promise.resolve();
  }

  freeze(): void {
    this.balancer.silent = 'hang';
  }

  thaw(): void {
    this.balancer.silent = 'no';
  }

  reload(): Promise<void> {
    this.balancer.reload();
    return Promise.resolve();
  }

  countOrders(): number {
    return this.balancer.orders;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

describePort('the simulated balancer', () => Promise.resolve(new SimulatedSite()));
