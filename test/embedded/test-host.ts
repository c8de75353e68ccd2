import { randomInt, randomUUID } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { vi } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import type { BootOrder } from '../../src/control/ports.ts';
import type { EmbeddedHypervisorOptions } from '../../src/embedded/hypervisor.ts';
import { type NodeProcess, readNodeProcesses } from '../../src/embedded/process-table.ts';

/** A host of its own: no other test, and no Rackfire that runs on this machine, sees its nodes. */
export function hostOptions(
  change: Partial<EmbeddedHypervisorOptions> = {},
): EmbeddedHypervisorOptions {
  return {
    host: `host-${randomUUID()}`,
    installation: `installation-${randomUUID()}`,
    capacity: { memoryMiB: 4_096, vcpus: 8, diskMiB: 65_536 },
    reserveMemoryMiB: 1_024,
    clock: createSystemClock(),
    ...change,
    behavior: { bootDelayMs: 0, serviceTimeMs: 20, slots: 10, ...change.behavior },
  };
}

/** Nodes get addresses of their own in the machine's 127.0.0.0/8, so that no port has to be guessed. */
const subnet = `127.${randomInt(64, 127)}.${randomInt(0, 255)}`;
let lastAddress = 0;

export function bootOrder(name: string, change: Partial<BootOrder> = {}): BootOrder {
  lastAddress += 1;
  return {
    name,
    uuid: randomUUID(),
    bornMs: 1_700_000_000_000 + lastAddress,
    address: `${subnet}.${lastAddress}`,
    port: 8_080,
    mac: '00:16:3e:00:00:01',
    imageName: 'site',
    imageVersion: '2026-11-01',
    memoryMiB: 512,
    vcpus: 1,
    diskMiB: 4_096,
    term: { createdAtSeconds: 0, transitions: 0 },
    ...change,
  };
}

export const never = new AbortController().signal;

export interface Answer {
  readonly status: number;
  readonly node: string | undefined;
  readonly keptAlive: boolean;
  readonly tookMs: number;
}

export async function get(order: BootOrder, path: string): Promise<Answer> {
  const startMs = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ host: order.address, port: order.port, path, agent: false }, resolve)
    .on('error', reject)
    .end();
  const response = await promise;
  const ended = Promise.withResolvers<void>();
  response.on('end', ended.resolve).on('error', ended.reject).resume();
  await ended.promise;
  return {
    status: response.statusCode ?? 0,
    node: response.headers['x-rackfire-node']?.toString(),
    keptAlive: response.headers.connection !== 'close',
    tookMs: performance.now() - startMs,
  };
}

/** For what comes in moments; a machine that has no time just then has it later. */
export const soon = { timeout: 20_000, interval: 5 };

/** Resolves with the first answer of a node that has just been made. */
export function untilAnswers(order: BootOrder): Promise<Answer> {
  return vi.waitFor(() => get(order, '/health'), soon);
}

export function nodesOf(options: EmbeddedHypervisorOptions): NodeProcess[] {
  return readNodeProcesses().filter((node) => node.host === options.host);
}

/** Leaves nothing behind, whatever became of the test. */
export function killAll(options: EmbeddedHypervisorOptions): void {
  for (const node of nodesOf(options)) {
    try {
      process.kill(node.pid, 'SIGKILL');
    } catch {
      // It ended by itself in the meantime.
    }
  }
}
