#!/usr/bin/env node
/** The stand-in for 3.x as a program with the daemon's command line, for whoever starts one: `-f FILE`. */

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { startStandIn } from './stand-in.ts';

/** What it heeds of the daemon's own file. */
const DaemonFile = z.object({
  dataplaneapi: z.object({
    host: z.literal('127.0.0.1'),
    port: z.number(),
    userlist: z.object({ userlist: z.string(), userlist_file: z.string() }),
    transaction: z.object({ transaction_dir: z.string() }),
  }),
  haproxy: z.object({
    config_file: z.string(),
    master_runtime: z.string().optional(),
    reload: z.object({ reload_delay: z.number(), reload_cmd: z.string() }),
  }),
});

const { values } = parseArgs({ options: { f: { type: 'string', short: 'f' } } });
const { dataplaneapi, haproxy } = DaemonFile.parse(parse(await readFile(values.f ?? '', 'utf8')));
const configText = await readFile(haproxy.config_file, 'utf8');
const users = await readFile(dataplaneapi.userlist.userlist_file, 'utf8');
const [, username, password] = /^\s*user (\S+) insecure-password (\S+)$/m.exec(users) ?? [];
const [, socketPath] = /^\s*stats socket (\S+)/m.exec(configText) ?? [];
const [, masterPid] = /^kill -USR2 ([0-9]+)$/.exec(haproxy.reload.reload_cmd) ?? [];
if (username === undefined || password === undefined || socketPath === undefined) {
  throw new Error('no user, or no stats socket in the config of HAProxy');
}
await startStandIn({
  generation: 'v3',
  configPath: haproxy.config_file,
  socketPath,
  isGivenMasterSocket: haproxy.master_runtime !== undefined,
  masterPid: () => Number(masterPid),
  transactionFolder: dataplaneapi.transaction.transaction_dir,
  reloadDelayMs: haproxy.reload.reload_delay * 1_000,
  maxOpenTransactions: 20,
  username,
  password,
  tls: undefined,
  port: dataplaneapi.port,
});
