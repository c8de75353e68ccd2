/**
 * The service with its ports and its clock meddled with: it kills itself at an exact call, makes nodes with a
 * fault, or believes another time of day. Everything else is composed as `rackfire run` composes it.
 *
 * Started with the config file and a {@link Meddling} as JSON; each IPC message is a Meddling, too, whose keys
 * replace those of before.
 */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { composeSetup, createUuidOf } from '../../src/compose.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Clock, createSystemClock } from '../../src/control/clock.ts';
import { Controller, type Setup } from '../../src/control/controller.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type { Hypervisor, LoadBalancer } from '../../src/control/ports.ts';
import { createEmbeddedHypervisor } from '../../src/embedded/hypervisor.ts';
import { createSoloLeadership } from '../../src/leader/solo.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TelemetryRecorder } from '../../src/telemetry/recorder.ts';

/** A call of a port that changes the world; `set-…` are calls of `setServers` with a change to that state. */
export type PortCall =
  | 'create'
  | 'destroy'
  | 'pause'
  | 'save'
  | 'wake'
  | 'set-ready'
  | 'set-drain'
  | 'set-maint';

export interface Meddling {
  /** SIGKILL to itself right before, or right after, the n-th such call, from 1, since this was said. */
  readonly kill?: {
    readonly when: 'before' | 'after';
    readonly call: PortCall;
    readonly nth: number;
  };
  /** Nodes that are made with a fault from now on; of two entries that match, the first counts. */
  readonly faults?: readonly {
    /** By name; all when left out. */
    readonly node?: string;
    /** By host; all when left out. */
    readonly host?: string;
    readonly fault: 'never-healthy' | `503-for-ms:${number}`;
  }[];
  /** How far the wall clock is off, in milliseconds. */
  readonly wallOffsetMs?: number;
}

let meddling: Meddling = {};
const callsSeen = new Map<PortCall, number>();

function meddle(change: Meddling): void {
  meddling = { ...meddling, ...change };
  if (change.kill !== undefined) {
    callsSeen.clear();
  }
}

/** Carries out a call, unless this process dies before it, or before anybody learns that it was done. */
async function exposed(calls: readonly PortCall[], carryOut: () => Promise<void>): Promise<void> {
  const { kill } = meddling;
  const hit = calls.find((call) => {
    const nth = (callsSeen.get(call) ?? 0) + 1;
    callsSeen.set(call, nth);
    return kill?.call === call && kill.nth === nth;
  });
  if (hit !== undefined && kill?.when === 'before') {
    process.kill(process.pid, 'SIGKILL');
  }
  await carryOut();
  if (hit !== undefined) {
    process.kill(process.pid, 'SIGKILL');
  }
}

function meddledHypervisor(port: Hypervisor, config: Config, clock: Clock): Hypervisor {
  const { host } = port;
  return {
    host,
    pace: port.pace,
    inspect: (signal) => port.inspect(signal),
    create: (order, signal) => {
      const fault = meddling.faults?.find(
        (one) => (one.node ?? order.name) === order.name && (one.host ?? host) === host,
      )?.fault;
      const maker = fault === undefined ? port : faultyHypervisor(host, fault, config, clock);
      return exposed(['create'], () => maker.create(order, signal));
    },
    destroy: (ref, signal) => exposed(['destroy'], () => port.destroy(ref, signal)),
    pause: (ref, signal) => exposed(['pause'], () => port.pause(ref, signal)),
    save: (ref, signal) => exposed(['save'], () => port.save(ref, signal)),
    wake: (ref, signal) => exposed(['wake'], () => port.wake(ref, signal)),
  };
}

function faultyHypervisor(
  host: string,
  fault: 'never-healthy' | `503-for-ms:${number}`,
  config: Config,
  clock: Clock,
): Hypervisor {
  const found = config.hosts.find(({ name }) => name === host);
  if (found?.driver !== 'embedded') {
    throw new Error(`the config has no embedded host ${host}`);
  }
  const { capacity, reserveMemoryMiB, embedded } = found;
  const behavior = { ...embedded, fault };
  const { installation } = config;
  return createEmbeddedHypervisor({
    host,
    installation,
    capacity,
    reserveMemoryMiB,
    behavior,
    clock,
  });
}

function meddledBalancer(port: LoadBalancer): LoadBalancer {
  return {
    name: port.name,
    inspect: (signal) => port.inspect(signal),
    setServers: (changes, signal) => {
      const calls = new Set(changes.map(({ to }): PortCall => `set-${to}`));
      return exposed([...calls], () => port.setServers(changes, signal));
    },
  };
}

function meddledSetup(config: Config, clock: Clock): Setup {
  const setup = composeSetup(config, clock);
  return {
    ...setup,
    hypervisors: new Map(
      [...setup.hypervisors].map(([host, port]) => [host, meddledHypervisor(port, config, clock)]),
    ),
    balancers: setup.balancers.map(meddledBalancer),
  };
}

const [, , configFile = '', firstMeddling = '{}'] = process.argv;
meddle(JSON.parse(firstMeddling) as Meddling);
process.on('message', (message) => meddle(message as Meddling));
// The channel alone must not keep the process alive.
process.channel?.unref();

const { config } = await loadConfig(configFile);
const log = pino({ base: { pid: process.pid } });
const system = createSystemClock();
const clock: Clock = { ...system, wallMs: () => system.wallMs() + (meddling.wallOffsetMs ?? 0) };
const recorder = new TelemetryRecorder(log, createMetrics(new Registry()));
const controller = new Controller({
  setup: meddledSetup(config, clock),
  leadership: createSoloLeadership(clock),
  overrides: new OverrideBook(clock, recorder),
  uuidOf: createUuidOf(config.installation),
  clock,
  recorder,
});
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort('SIGTERM'));
log.info({ config: configFile }, 'started');
await controller.run(stop.signal);
log.info('stopped, nodes and traffic stay as they are');
