/** An embedded host that several Rackfires share does with terms what a dom0 does. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PreconditionError, RefusedError, UnreachableError } from '../../src/control/errors.ts';
import { FenceFile, type Order } from '../../src/embedded/fence-file.ts';

let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rackfire-fence-'));
  path = join(folder, 'fence.db');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function order(verb: Order['verb'], transitions: number, createdAtSeconds = 1_000): Order {
  return {
    verb,
    node: verb === 'fence' ? '' : 'news-web-1',
    term: { createdAtSeconds, transitions },
  };
}

test('a former leader is refused from the moment on in which a newer one has shown its term', () => {
  const [one, other] = [new FenceFile(path, 'host-a'), new FenceFile(path, 'host-a')];
  one.take(order('fence', 1), () => undefined);
  expect(one.take(order('create', 1), () => 'made')).toBe('made');
  other.take(order('fence', 2), () => undefined);
  for (const verb of ['fence', 'create', 'pause', 'wake', 'destroy'] as const) {
    expect(() => one.take(order(verb, 1), () => expect.unreachable())).toThrow(PreconditionError);
  }
  expect(other.take(order('destroy', 2), () => 'gone')).toBe('gone');
});

test('a lease that was made anew is newer, however few transitions it has seen', () => {
  const file = new FenceFile(path, 'host-a');
  file.take(order('fence', 9), () => undefined);
  file.take(order('fence', 1, 1_001), () => undefined);
  expect(() => file.take(order('fence', 10), () => undefined)).toThrow(PreconditionError);
});

test('it boots only by a term that was shown by a fence, and not by one that came with another order', () => {
  const file = new FenceFile(path, 'host-a');
  expect(() => file.take(order('create', 1), () => expect.unreachable())).toThrow('not shown by');
  file.take(order('destroy', 1), () => undefined);
  expect(() => file.take(order('create', 1), () => expect.unreachable())).toThrow('not shown by');
  file.take(order('fence', 1), () => undefined);
  file.take(order('create', 1), () => undefined);
});

test('hosts of one file have terms of their own', () => {
  new FenceFile(path, 'host-a').take(order('fence', 5), () => undefined);
  expect(new FenceFile(path, 'host-b').take(order('fence', 1), () => 'taken')).toBe('taken');
});

test('an order that is refused there is not noted, and the next one finds no lock', () => {
  const file = new FenceFile(path, 'host-a');
  const refuse = (): never => {
    throw new RefusedError('no room');
  };
  expect(() => file.take(order('destroy', 7), refuse)).toThrow(RefusedError);
  file.take(order('fence', 1), () => undefined);
  const database = new DatabaseSync(path, { readOnly: true });
  expect(database.prepare('SELECT host, verb, pid, transitions FROM orders').all()).toEqual([
    { host: 'host-a', verb: 'fence', pid: process.pid, transitions: 1 },
  ]);
  database.close();
});

test('nothing is done while somebody else holds the file, or where it cannot be', () => {
  const file = new FenceFile(path, 'host-a');
  file.take(order('fence', 1), () => undefined);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  expect(() => file.take(order('destroy', 1), () => expect.unreachable())).toThrow(
    UnreachableError,
  );
  other.close();
  const nowhere = new FenceFile(join(folder, 'no/such/folder'), 'host-a');
  expect(() => nowhere.take(order('fence', 1), () => undefined)).toThrow(UnreachableError);
});
