/** Requests to the wrapper as Rackfire writes them, for tests that talk to a real dom0 themselves. */

import { createUuidOf } from '../../src/compose.ts';
import { macOf } from '../../src/scaler/cluster.ts';
import {
  GOLDEN_FILE,
  INSTALLATION,
  KERNEL,
  NODE_DISK_MIB,
  NODE_MIB,
  RAMDISK,
} from './site-config.ts';

/** Between the lab's own addresses and those of the sites. */
const FIRST_ADDRESS = 201;

export interface NodeOrder {
  readonly name: string;
  readonly address: string;
  /** All keys that say who it is, and by which term. */
  readonly tenant: string;
  /** A whole `create`; what is given here counts instead of what is usual. */
  create(changes?: Readonly<Record<string, string | number>>): string;
  destroy(): string;
}

/** Newer than any that a host was shown before. */
export function termOfNow(): string {
  return `${Math.floor(Date.now() / 1_000)}.0`;
}

/** @param number - From 1. @param term - As `CREATED.TRANSITIONS`. */
export function orderNode(number: number, term: string, bornMs: number = Date.now()): NodeOrder {
  const name = `bench-web-${number}`;
  const address = `10.77.0.${FIRST_ADDRESS + number - 1}`;
  const uuid = createUuidOf(INSTALLATION)(name);
  const tenant = `name=${name} uuid=${uuid} born=${bornMs} shard=main term=${term}`;
  const usual = {
    image: 'web@1',
    disk: `file:${GOLDEN_FILE}`,
    kernel: KERNEL,
    ramdisk: RAMDISK,
    type: 'pv',
    memory: NODE_MIB,
    vcpus: 1,
    'disk-mib': NODE_DISK_MIB,
    mac: macOf(address),
    bridge: 'xenbr0',
    ip: address,
    gateway: '10.77.0.254',
    prefix: 24,
    hash: '0123456789abcdef',
  };
  return {
    name,
    address,
    tenant,
    create: (changes = {}) =>
      [
        'create',
        tenant,
        ...Object.entries({ ...usual, ...changes }).map(([key, value]) => `${key}=${value}`),
      ].join(' '),
    destroy: () => `destroy ${tenant} deadline=0`,
  };
}
