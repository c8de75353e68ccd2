/**
 * Types of HAProxy's Data Plane API, from what a daemon says of itself: `npm run generate:dataplane -- SOURCE…`.
 *
 * A SOURCE is a saved answer of `/v2/specification_openapiv3` or `/v3/specification_openapiv3`, or the address
 * of a daemon, as `http://127.0.0.1:5555/v3`. A daemon wants a user: DATAPLANE_USER, and the password in
 * DATAPLANE_PASSWORD or in the file that DATAPLANE_PASSWORD_FILE names.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import axios from 'axios';
import { fingerprint, fingerprintTypes } from './fingerprint.ts';
import { prune, versionOf } from './prune.ts';

const root = resolve(import.meta.dirname, '../..');
/** It wants TypeScript 5 beside it, so it is no dependency of this package. */
const generator = ['--package=openapi-typescript@7.13.0', '--package=typescript@5.9.3'];
const run = promisify(execFile);

const sources = process.argv.slice(2);
if (sources.length === 0) {
  process.stderr.write('usage: npm run generate:dataplane -- URL|FILE…\n');
  process.exitCode = 2;
}
for (const source of sources) {
  const text = /^https?:/.test(source) ? await download(source) : await readFile(source, 'utf8');
  const path = await generate(text);
  process.stdout.write(`${path}\n`);
}

/** @returns The file written. */
async function generate(text: string): Promise<string> {
  const description: unknown = JSON.parse(text);
  const version = versionOf(description);
  const pruned = JSON.stringify(prune(description, version));
  const path = join(root, `src/balancer/dataplane/generated/${version}.d.ts`);
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-dataplane-'));
  try {
    const input = join(folder, 'description.json');
    const output = join(folder, 'types.ts');
    await writeFile(input, pruned);
    // Elsewhere, so that npm does not weigh the generator against this package's own TypeScript.
    const options = { cwd: folder, timeout: 120_000 };
    const npm = ['exec', '--yes', ...generator, '--', 'openapi-typescript', input, '-o', output];
    await run('npm', npm, options);
    const body = (await readFile(output, 'utf8')).replace(/^\/\*\*[^]*?\*\/\n+/, '');
    await writeFile(path, header(version, pruned, body) + body);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await run('npx', ['biome', 'format', '--write', path], { cwd: root, timeout: 60_000 });
  return path;
}

function header(version: string, pruned: string, body: string): string {
  return `/**
 * The part of HAProxy's Data Plane API, ${version}, that Rackfire uses. Made by "npm run generate:dataplane" out of the
 * description that the daemon serves, which is HAProxy Technologies' work under the Apache License 2.0, as Rackfire
 * is. Not to be edited.
 *
 * description ${fingerprint(pruned)}
 * types ${fingerprintTypes(body)}
 */

`;
}

async function download(url: string): Promise<string> {
  const { DATAPLANE_USER: username, DATAPLANE_PASSWORD_FILE: file } = process.env;
  const password =
    file === undefined ? process.env['DATAPLANE_PASSWORD'] : await readFile(file, 'utf8');
  if (username === undefined || password === undefined) {
    throw new Error(
      'a daemon wants DATAPLANE_USER and DATAPLANE_PASSWORD or DATAPLANE_PASSWORD_FILE',
    );
  }
  const answer = await axios.get<string>(`${url.replace(/\/$/, '')}/specification_openapiv3`, {
    auth: { username, password: password.trimEnd() },
    responseType: 'text',
    transformResponse: (text: string) => text,
    validateStatus: () => true,
    maxRedirects: 0,
    proxy: false,
    timeout: 10_000,
  });
  if (answer.status !== 200) {
    throw new Error(
      `${url} answered ${answer.status}: is it a daemon's address that ends with /v2 or /v3?`,
    );
  }
  return answer.data;
}
