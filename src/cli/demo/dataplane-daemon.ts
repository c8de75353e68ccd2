/** The Data Plane API's daemon beside the demo's HAProxy. */

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createSystemClock } from '../../control/clock.ts';
import { ConfigError } from '../../control/errors.ts';
import { END_DEADLINE_MS, start } from './processes.ts';

/** The variable that names the program. */
const PROGRAM = 'RACKFIRE_DATAPLANEAPI';

/** As the config of the demo names it. */
export const CREDENTIALS_FILE = 'credentials';
const USER = 'rackfire';
/** Where HAProxy listens for the daemon. */
export const SOCKET = 'admin.sock';

/** @throws ConfigError when nobody has said where the daemon is: it comes with no package. */
export function findDaemon(): string {
  const program = process.env[PROGRAM];
  if (program === undefined || program === '') {
    throw new ConfigError(
      `--driver dataplane needs the daemon of HAProxy's Data Plane API, 2.9 or 3.x: set ${PROGRAM} to the path of the program (https://github.com/haproxytech/dataplaneapi/releases)`,
    );
  }
  if (!existsSync(program)) {
    throw new ConfigError(`${PROGRAM}: there is no ${program}`);
  }
  return program;
}

/** Draws a password, and writes it down for both sides. */
export async function writeCredentials(folder: string): Promise<void> {
  const password = randomBytes(24).toString('hex');
  const secret = { mode: 0o600 };
  await writeFile(join(folder, CREDENTIALS_FILE), `${USER}:${password}\n`, secret);
  const user = `user ${USER} insecure-password ${password}`;
  await writeFile(join(folder, 'users.cfg'), `userlist rackfire\n    ${user}\n`, secret);
}

export interface DaemonOrder {
  readonly program: string;
  readonly folder: string;
  readonly haproxyFile: string;
  readonly haproxy: ChildProcess;
  readonly port: number;
}

/** The daemon's own file; its path stands in the daemon's command line. */
export function daemonFileIn(folder: string): string {
  return join(folder, 'dataplaneapi.yaml');
}

/** Starts it once HAProxy listens for it, on a file as both generations read it. */
export async function startDaemon(order: DaemonOrder): Promise<ChildProcess> {
  const { program, folder, haproxy } = order;
  const place = async (name: string): Promise<string> => {
    const path = join(folder, 'dataplane', name);
    await mkdir(path, { recursive: true });
    return path;
  };
  const reload = `kill -USR2 ${haproxy.pid}`;
  const settings = {
    config_version: 2,
    name: 'rackfire-demo',
    dataplaneapi: {
      scheme: ['http'],
      host: '127.0.0.1',
      port: order.port,
      userlist: { userlist: 'rackfire', userlist_file: join(folder, 'users.cfg') },
      transaction: { transaction_dir: await place('transactions') },
      resources: {
        maps_dir: await place('maps'),
        ssl_certs_dir: await place('ssl'),
        general_storage_dir: await place('general'),
        spoe_dir: await place('spoe'),
        dataplane_storage_dir: await place('storage'),
      },
    },
    haproxy: {
      config_file: order.haproxyFile,
      haproxy_bin: '/usr/sbin/haproxy',
      reload: {
        reload_strategy: 'custom',
        reload_delay: 1,
        reload_cmd: reload,
        restart_cmd: reload,
      },
    },
  };
  const file = daemonFileIn(folder);
  await writeFile(file, stringify(settings));
  await waitForSocket(join(folder, SOCKET), haproxy);
  return start(program, ['-f', file], join(folder, 'dataplaneapi.log'));
}

/** HAProxy makes it when it listens. One that has ended is said by whoever asks it next. */
async function waitForSocket(path: string, haproxy: ChildProcess): Promise<void> {
  const clock = createSystemClock();
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  while (!existsSync(path) && haproxy.exitCode === null && !deadline.aborted) {
    await clock.sleep(20, deadline).catch(() => undefined);
  }
}
