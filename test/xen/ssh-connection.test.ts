import type { ServerChannel } from 'ssh2';
import { describe, expect, test } from 'vitest';
import { OutcomeUnknownError, UnreachableError } from '../../src/control/errors.ts';
import { TestClock } from '../control/test-clock.ts';
import { eventually, failureOf, never } from './scripted-host.ts';
import { connectTo, order, question, startServer } from './ssh-rig.ts';
import { answer } from './ssh-server.ts';

describe('commands', () => {
  test('A command is answered with its output, its errors and its exit code', async () => {
    const server = await startServer((_command, channel) =>
      answer(channel, { stdout: 'out\n', stderr: 'err\n', code: 3 }),
    );
    const connection = connectTo(server);

    await expect(connection.run('inspect', question, never)).resolves.toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('All commands go through one connection, which is made by the first', async () => {
    const server = await startServer();
    const connection = connectTo(server);
    expect(server.connections).toBe(0);

    await Promise.all(['a', 'b', 'c'].map((text) => connection.run(text, question, never)));
    await connection.run('d', question, never);

    expect(server.connections).toBe(1);
    expect(server.commands.toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('Seven orders run at once, the others in turn, and a question has a place of its own', async () => {
    const open: ServerChannel[] = [];
    const server = await startServer((command, channel) => {
      if (command === 'inspect') {
        answer(channel, { stdout: 'yes' });
      } else {
        open.push(channel);
      }
    });
    const connection = connectTo(server);

    const orders = Array.from({ length: 9 }, (_, index) =>
      connection.run(`order ${index}`, order, never),
    );
    await eventually(() => expect(open).toHaveLength(7));
    await expect(connection.run('inspect', question, never)).resolves.toMatchObject({ code: 0 });
    expect(open).toHaveLength(7);

    for (let index = 0; index < 9; index += 1) {
      await eventually(() => expect(open.length).toBeGreaterThan(index));
      answer(open[index]!, {});
    }
    await Promise.all(orders);
    expect(server.commands.filter((command) => command !== 'inspect')).toEqual(
      Array.from({ length: 9 }, (_, index) => `order ${index}`),
    );
  });

  test('Who is given up while waiting is not sent and takes nobody’s turn', async () => {
    const open: ServerChannel[] = [];
    const server = await startServer((_command, channel) => open.push(channel));
    const connection = connectTo(server);
    const giveUp = new AbortController();
    const orders = Array.from({ length: 7 }, (_, index) =>
      connection.run(`order ${index}`, order, never),
    );
    await eventually(() => expect(open).toHaveLength(7));

    const waiting = failureOf(connection.run('given up', order, giveUp.signal));
    const next = connection.run('next', order, never);
    giveUp.abort();
    const failure = await waiting;
    answer(open[0]!, {});
    await eventually(() => expect(open).toHaveLength(8));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toBe('xen-1 was not asked: given up before its turn');
    for (const channel of open.slice(1)) {
      answer(channel, {});
    }
    await Promise.all([...orders, next]);
    expect(server.commands).not.toContain('given up');
  });

  test('A command that takes too long is given up: an order’s outcome is unknown', async () => {
    const clock = new TestClock();
    const server = await startServer(() => undefined);
    const connection = connectTo(server, { clock });

    const asked = failureOf(connection.run('inspect', question, never));
    const ordered = failureOf(connection.run('create', order, never));
    await eventually(() => expect(server.commands).toHaveLength(2));
    await clock.step(20_000);

    expect(await asked).toBeInstanceOf(UnreachableError);
    expect(await ordered).toBeInstanceOf(OutcomeUnknownError);
    expect((await ordered).message).toBe(
      'xen-1 got the order and its answer was lost (not within 20000 ms); the next snapshots show what became of it',
    );
    expect(clock.sleepers).toBe(0);
  });

  test('A host that talks without an end is given up at 4 MiB', async () => {
    const server = await startServer((_command, channel) => {
      channel.on('close', () => undefined);
      channel.write(Buffer.alloc(5 * 1024 * 1024, 'x'));
    });

    const failure = await failureOf(connectTo(server).run('inspect', question, never));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toContain('more than 4194304 bytes');
  });

  test('A host that opens no session has got nothing, orders included', async () => {
    const server = await startServer();
    server.refusesSessions = true;

    const failure = await failureOf(connectTo(server).run('create', order, never));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toContain('xen-1 did not take the command');
  });

  test('A host that refuses the command has not carried it out', async () => {
    const server = await startServer();
    server.refusesCommands = true;

    const failure = await failureOf(connectTo(server).run('create', order, never));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toBe('xen-1 did not take the command: Unable to exec');
  });

  test('A command that is killed there has no outcome', async () => {
    const server = await startServer((_command, channel) => {
      channel.exit('KILL', false, '');
      channel.end();
    });

    const failure = await failureOf(connectTo(server).run('create', order, never));

    expect(failure).toBeInstanceOf(OutcomeUnknownError);
    expect(failure.message).toContain('ended by signal');
  });
});

describe('a connection that is lost', () => {
  test('in the middle of a command: an order’s outcome is unknown, a question is asked again', async () => {
    const server = await startServer(() => undefined);
    const connection = connectTo(server);
    const asked = failureOf(connection.run('inspect', question, never));
    const ordered = failureOf(connection.run('create', order, never));
    await eventually(() => expect(server.commands).toHaveLength(2));

    server.reset();

    expect(await asked).toBeInstanceOf(UnreachableError);
    expect(await ordered).toBeInstanceOf(OutcomeUnknownError);
  });

  test.each(['by a reset', 'by hanging up'] as const)(
    'when a command has just come, %s, may have carried it out',
    async (how) => {
      const server = await startServer();
      server.cutsAtCommands = how;

      const failure = await failureOf(connectTo(server).run('create', order, never));

      expect(server.commands).toEqual(['create']);
      expect(failure).toBeInstanceOf(OutcomeUnknownError);
    },
  );

  test('that never gave an answer is made anew after a pause', async () => {
    const server = await startServer();
    server.cutsAtCommands = 'by hanging up';
    const clock = new TestClock();
    const connection = connectTo(server, { clock });
    await failureOf(connection.run('a', question, never));
    server.cutsAtCommands = 'not';

    const meanwhile = await failureOf(connection.run('b', question, never));
    expect(meanwhile.message).toContain('the connection was lost before any answer');
    expect(meanwhile.message).toContain('tried again in 1 s');
    await clock.step(1_000);
    await expect(connection.run('c', question, never)).resolves.toMatchObject({ stdout: 'c' });
  });

  test('after it was of use is made anew by the next command, at once', async () => {
    const server = await startServer();
    const connection = connectTo(server, { clock: new TestClock() });
    await connection.run('a', question, never);

    server.reset();
    await eventually(() => expect(server.openConnections).toBe(0));

    await eventually(() => connection.run('b', question, never));
    expect(server.connections).toBe(2);
  });

  test('A host that hears nothing is noticed by three keep-alives, and holds up no other', async () => {
    const hanging = await startServer();
    const well = await startServer();
    const toHanging = connectTo(hanging, { keepAliveIntervalMs: 100 });
    const toWell = connectTo(well);
    await toHanging.run('a', question, never);
    hanging.freeze();

    const ordered = failureOf(toHanging.run('create', order, never));
    await expect(toWell.run('b', question, never)).resolves.toMatchObject({ stdout: 'b' });

    const failure = await ordered;
    expect(failure).toBeInstanceOf(OutcomeUnknownError);
    expect(failure.message).toContain('Keepalive timeout');
  });

  test('A failed connection is tried again after 1 s, 2 s, 4 s … and at most 30 s', async () => {
    const clock = new TestClock();
    const server = await startServer();
    const connection = connectTo(server, { clock });
    server.stopListening();

    for (const pauseSeconds of [1, 2, 4, 8, 16, 30, 30]) {
      const first = await failureOf(connection.run('a', question, never));
      expect(first).toBeInstanceOf(UnreachableError);
      expect(first.message).toMatch(/^xen-1: no SSH connection to 127.0.0.1:\d+ \(.*ECONNREFUSED/);
      expect(first.message).not.toContain('tried again');
      const meanwhile = await failureOf(connection.run('b', order, never));
      expect(meanwhile).toBeInstanceOf(UnreachableError);
      expect(meanwhile.message).toContain('ECONNREFUSED');
      expect(meanwhile.message).toContain(`tried again in ${pauseSeconds} s`);
      await clock.step(pauseSeconds * 1_000);
    }
    expect(clock.sleepers).toBe(0);

    await server.listen();
    await expect(connection.run('c', question, never)).resolves.toMatchObject({ stdout: 'c' });
  });

  test('A handshake that outlasts one command serves the next', async () => {
    const clock = new TestClock();
    const server = await startServer();
    server.holdsHandshakes = true;
    const connection = connectTo(server, { clock });

    const first = failureOf(connection.run('a', order, never));
    await eventually(() => expect(server.connections).toBe(1));
    await clock.step(20_000);
    expect(await first).toBeInstanceOf(UnreachableError);
    const second = connection.run('b', question, never);
    server.releaseHandshakes();

    await expect(second).resolves.toMatchObject({ stdout: 'b' });
    expect(server.connections).toBe(1);
    expect(server.commands).toEqual(['b']);
  });

  test('Closed, it answers no more and leaves nothing open', async () => {
    const server = await startServer(() => undefined);
    const connection = connectTo(server);
    const running = failureOf(connection.run('create', order, never));
    await eventually(() => expect(server.commands).toHaveLength(1));

    connection.close();

    expect(await running).toBeInstanceOf(OutcomeUnknownError);
    expect((await failureOf(connection.run('a', question, never))).message).toBe(
      'xen-1 was not asked: its connection is closed',
    );
    await eventually(() => expect(server.openConnections).toBe(0));
  });
});
