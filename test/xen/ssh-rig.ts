import { onTestFinished } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import { SshConnection, type SshConnectionOptions } from '../../src/xen/ssh-connection.ts';
import { answer, type CommandHandler, type KeyPair, TestSshServer } from './ssh-server.ts';

export const question = { kind: 'question', withinMs: 20_000 } as const;
export const order = { kind: 'order', withinMs: 20_000 } as const;

export const echo: CommandHandler = (command, channel) => answer(channel, { stdout: command });

export async function startServer(
  handler: CommandHandler = echo,
  hostKeys?: readonly KeyPair[],
): Promise<TestSshServer> {
  const server = await TestSshServer.start(handler, hostKeys);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

export function connectTo(
  server: TestSshServer,
  change: Partial<SshConnectionOptions> = {},
): SshConnection {
  const clock = createSystemClock();
  const connection = new SshConnection({ host: 'xen-1', ...server.settings, clock, ...change });
  onTestFinished(() => connection.close());
  return connection;
}
