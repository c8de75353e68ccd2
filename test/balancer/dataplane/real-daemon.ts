/** A real Data Plane API daemon, set up as it was when its behavior was measured. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { until } from '../site.ts';
import type { DaemonRun, DaemonSettings } from './daemon-rig.ts';

/**
 * Starts it with a file of its own; resolves when it listens.
 *
 * @throws Error with what it wrote, when it ends instead.
 * @see https://github.com/haproxytech/dataplaneapi/blob/v2.9.27/configuration/README.md
 */
export async function startRealDaemon(
  binary: string,
  settings: DaemonSettings,
): Promise<DaemonRun> {
  const folder = join(settings.haproxy.folder, 'dataplane');
  await mkdir(folder, { recursive: true });
  const configPath = join(folder, 'dataplaneapi.yaml');
  await writeFile(configPath, stringify(await describeDaemon(folder, settings)));

  const output: string[] = [];
  const child = spawn(binary, ['-f', configPath], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its file knows whole seconds only; its own tests use this to be quicker.
    env: { ...process.env, CI_DATAPLANE_RELOAD_DELAY_OVERRIDE: String(settings.reloadDelayMs) },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  }
  const exited = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  try {
    await until(
      () => {
        if (child.exitCode !== null) {
          throw new Error(`${binary} ended with ${child.exitCode}:\n${output.join('')}`);
        }
        return isListening(settings.port);
      },
      (listens) => listens,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { faults: undefined, stop };
}

async function describeDaemon(folder: string, settings: DaemonSettings): Promise<object> {
  const { haproxy, generation, port, tls } = settings;
  const reload = `kill -USR2 ${haproxy.masterPid}`;
  // Of a plain listener and one with TLS, it has the ones that are named.
  const listener =
    tls === undefined
      ? { scheme: ['http'], host: '127.0.0.1', port }
      : { scheme: ['https'], tls: await describeTls(folder, port, tls) };
  const storage =
    generation === 'v3' ? { dataplane_storage_dir: await subfolder(folder, 'storage') } : {};
  return {
    // The file's own format, which both generations read.
    config_version: 2,
    name: 'rackfire-test',
    dataplaneapi: {
      ...listener,
      userlist: { userlist: 'controller', userlist_file: await describeUsers(folder, settings) },
      transaction: {
        transaction_dir: settings.transactionFolder,
        max_open_transactions: settings.maxOpenTransactions,
      },
      resources: {
        maps_dir: await subfolder(folder, 'maps'),
        ssl_certs_dir: await subfolder(folder, 'ssl'),
        general_storage_dir: await subfolder(folder, 'general'),
        spoe_dir: await subfolder(folder, 'spoe'),
        ...storage,
      },
    },
    haproxy: {
      config_file: haproxy.configPath,
      haproxy_bin: '/usr/sbin/haproxy',
      ...(settings.isGivenMasterSocket ? { master_runtime: haproxy.masterSocketPath } : {}),
      reload: {
        reload_strategy: 'custom',
        reload_delay: 1,
        reload_cmd: reload,
        restart_cmd: reload,
      },
    },
  };
}

async function describeUsers(folder: string, settings: DaemonSettings): Promise<string> {
  const path = join(folder, 'users.cfg');
  const user = `user ${settings.username} insecure-password ${settings.password}`;
  await writeFile(path, `userlist controller\n    ${user}\n`, { mode: 0o600 });
  return path;
}

async function describeTls(
  folder: string,
  port: number,
  tls: NonNullable<DaemonSettings['tls']>,
): Promise<object> {
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    tls_host: '127.0.0.1',
    tls_port: port,
    tls_certificate: await write('server.pem', tls.certificate),
    tls_key: await write('server.key', tls.key),
    ...(tls.clientCa === undefined ? {} : { tls_ca: await write('clients.pem', tls.clientCa) }),
  };
}

async function subfolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  return path;
}

async function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('connect', () => resolve(true));
  socket.on('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
