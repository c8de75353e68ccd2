/** What a real HAProxy does not do on demand: hang, stop in the middle, talk nonsense. */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRuntimeBalancer } from '../../../src/balancer/runtime/runtime-balancer.ts';
import { SerialQueue } from '../../../src/balancer/haproxy/serial-queue.ts';
import { ask, groupByLine } from '../../../src/balancer/runtime/socket.ts';
import { createSystemClock } from '../../../src/control/clock.ts';
import { UnreachableError } from '../../../src/control/errors.ts';
import { recorded } from '../haproxy/fixtures.ts';

const never = new AbortController().signal;

interface FakeSocket extends AsyncDisposable {
  readonly path: string;
  /** The lines that were received. */
  readonly lines: readonly string[];
}

/** A unix socket that treats each line as told. */
async function listen(onLine: (connection: Socket, line: string) => void): Promise<FakeSocket> {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-fake-'));
  const path = join(folder, 'admin.sock');
  const lines: string[] = [];
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.once('data', (chunk) => {
      lines.push(chunk.toString());
      onLine(connection, chunk.toString());
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    lines,
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections) {
        connection.destroy();
      }
      server.close();
      await once(server, 'close');
      await rm(folder, { recursive: true });
    },
  };
}

function balancerAt(socketPath: string) {
  return createRuntimeBalancer({
    name: 'lb-a',
    socketPath,
    masterSocketPath: undefined,
    stateFilePath: '/nonexistent/server-state',
    hardStopAfterMs: 60_000,
    backends: ['web'],
    clock: createSystemClock(),
  });
}

const whole = recorded('inspect-line-left-maint-and-unknown-backend')
  .split('\n\n')
  .slice(0, 3)
  .map((block) => `${block}\n\n`)
  .join('');

test('what HAProxy was recorded to answer is understood, and asked in one line', async () => {
  await using fake = await listen((connection) => connection.end(whole));

  const snapshot = await balancerAt(fake.path).inspect(never);

  expect(snapshot.backends.get('web')?.servers.map((server) => server.check)).toEqual([
    'passed',
    'pending',
    'pending',
  ]);
  expect(fake.lines).toEqual([
    'set severity-output number;show info;show stat web 6 -1;show servers state web\n',
  ]);
});

test.each([
  ['closes at once', ''],
  ['answers an empty line', '\n'],
  ['answers half', whole.slice(0, whole.length / 2)],
  ['answers all but the last newline', whole.slice(0, -1)],
  ['leaves an answer out', whole.replace(/\n# pxname[^]*?\n\n/, '\n')],
  ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'],
  [
    'knows no statistics',
    '\n[3]: Permission denied\n\n[3]: Permission denied\n\n[3]: Permission denied\n\n',
  ],
])('a peer that %s is unreachable', async (_situation, answer) => {
  await using fake = await listen((connection) => connection.end(answer));
  await expect(balancerAt(fake.path).inspect(never)).rejects.toThrow(UnreachableError);
});

test('a peer that hangs costs the deadline, and no more', async () => {
  await using fake = await listen((connection) => connection.write('\nName: HAProxy\n'));

  const asked = balancerAt(fake.path).inspect(AbortSignal.timeout(50));

  await expect(asked).rejects.toThrow(/did not answer in time/);
});

test('a peer that never stops talking is cut off', async () => {
  const mebibyte = Buffer.alloc(1024 * 1024, 'x');
  await using fake = await listen((connection) => {
    const talk = (): void => {
      while (connection.writable && connection.write(mebibyte)) {}
    };
    connection.on('drain', talk);
    talk();
  });

  await expect(ask(fake.path, ['show info'], never)).rejects.toThrow(/more than 16777216 bytes/);
});

test('a socket that is gone says so', async () => {
  await expect(balancerAt('/nonexistent/admin.sock').inspect(never)).rejects.toThrow(
    /no such socket/,
  );
});

test('the line is not half-closed, which HAProxy 3.2 would take for an interruption', async () => {
  let ended = false;
  await using fake = await listen((connection) => {
    connection.on('end', () => {
      ended = true;
    });
    setImmediate(() => {
      connection.write('answer\n');
      setImmediate(() => connection.end(ended ? 'half-closed\n' : 'open\n'));
    });
  });

  expect(await ask(fake.path, ['show info'], never)).toBe('answer\nopen\n');
});

test.each(['a;b', 'a\nb', 'a\rb', '', 'é'])('%j is not one command', async (command) => {
  await expect(ask('/nonexistent', [command], never)).rejects.toThrow(RangeError);
});

test('commands are spread over lines below 8,000 bytes, in order', () => {
  const commands = Array.from(
    { length: 500 },
    (_, n) => `set server news-web/news-web-${n} state ready`,
  );
  const groups = groupByLine(commands, 'set severity-output number');

  expect(groups.flat()).toEqual(commands);
  for (const group of groups) {
    expect(['set severity-output number', ...group].join(';').length).toBeLessThan(8_000);
  }
});

test('questions are asked one after the other; one that is given up does not let others overtake', async () => {
  const queue = new SerialQueue(3);
  const first = Promise.withResolvers<string>();
  const order: string[] = [];
  const given = new AbortController();

  const one = queue.run(never, () => first.promise.then(() => order.push('one')));
  const two = queue.run(given.signal, async () => order.push('two'));
  const three = queue.run(never, async () => order.push('three'));
  const four = queue.run(never, async () => order.push('four'));
  given.abort();

  await expect(four).rejects.toThrow(/wait already/);
  await expect(two).rejects.toThrow(/given up/);
  expect(order).toEqual([]);
  first.resolve('');
  await Promise.all([one, three]);
  expect(order).toEqual(['one', 'three']);
});
