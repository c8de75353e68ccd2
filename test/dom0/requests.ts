/** Requests to the wrapper, and what its answers say. */

import type { Dom0 } from './dom0.ts';

/** A node as Rackfire orders it. */
export interface OrderedNode {
  readonly name: string;
  readonly uuid: string;
  readonly born: string;
  readonly mac: string;
  readonly ip: string;
}

export function nodeOf(number: number): OrderedNode {
  const digits = String(number).padStart(2, '0');
  return {
    name: `news-web-${number}`,
    uuid: `11111111-2222-5333-8444-0000000000${digits}`,
    born: `17955014000${digits}`,
    mac: `00:16:3e:00:00:${digits}`,
    ip: `10.77.0.1${digits}`,
  };
}

export const term = '1795500000.3';

export type Values = Readonly<Record<string, string | number | undefined>>;

export function write(verb: string, values: Values = {}): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined);
  return [verb, ...pairs.map(([key, value]) => `${key}=${value}`)].join(' ');
}

export function tenant(verb: string, node: OrderedNode, change: Values = {}): string {
  const { name, uuid, born } = node;
  return write(verb, { name, uuid, born, shard: 'main', term, ...change });
}

export function destroy(node: OrderedNode, change: Values = {}): string {
  return tenant('destroy', node, { deadline: 5, ...change });
}

export function create(dom0: Dom0, node: OrderedNode, change: Values = {}): string {
  return tenant('create', node, {
    image: 'web@2026-11-01',
    disk: `file:${dom0.path('images/web.img')}`,
    kernel: dom0.path('images/vmlinuz'),
    ramdisk: dom0.path('images/initrd'),
    type: 'pv',
    memory: 128,
    vcpus: 1,
    'disk-mib': 16,
    mac: node.mac,
    bridge: 'xenbr0',
    ip: node.ip,
    gateway: '10.77.0.254',
    prefix: 24,
    hash: '0123456789abcdef',
    ...change,
  });
}

export function thin(dom0: Dom0, node: OrderedNode): string {
  return create(dom0, node, { disk: 'thin:vg0/img-web' });
}

export function fence(change: Values = {}): string {
  return write('fence', { shard: 'main', term, ...change });
}

/** The lines of `inspect` before its sections, without those that every answer has. */
export function linesOf(inspected: string): string[] {
  return inspected
    .slice(0, inspected.indexOf('== xl info'))
    .split('\n')
    .filter(
      (line) => line !== '' && !/^(?:rackfire-dom0|time|installation|term|free-disk) /.test(line),
    );
}
