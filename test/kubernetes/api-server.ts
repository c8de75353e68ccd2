/** A real kube-apiserver with an etcd of its own, on loopback. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';

/** Of a machine that is busy; it takes 4 s on one that is not. */
const READY_DEADLINE_MS = 200_000;
const POLL_MS = 200;
/** Where etcd writes: a disk that others use may take seconds to sync, and what is measured here is not the disk. */
const MEMORY_FOLDER = '/dev/shm';

/** Who asks, by the token that says so. */
export type Person = 'admin' | 'rackfire';

const TOKENS: Readonly<Record<Person, string>> = {
  admin: 'token-of-an-admin',
  rackfire: 'token-of-rackfire',
};

export class ApiServer implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #etcdFolder: string;
  readonly #etcdPorts: readonly number[];
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(
    { folder, etcdFolder }: { readonly folder: string; readonly etcdFolder: string },
    [port = 0, ...etcdPorts]: readonly number[],
  ) {
    this.folder = folder;
    this.#etcdFolder = etcdFolder;
    this.port = port;
    this.#etcdPorts = etcdPorts;
  }

  static async start(): Promise<ApiServer> {
    const folder = await mkdtemp(join(tmpdir(), 'rackfire-kubernetes-'));
    const memory = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir();
    const etcdFolder = await mkdtemp(join(memory, 'rackfire-etcd-'));
    const server = new ApiServer({ folder, etcdFolder }, await findFreePorts(3));
    try {
      await server.#prepare();
      server.#startEtcd();
      await server.up();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts it; resolves when it says that it is ready. Calling it twice is harmless. */
  async up(): Promise<void> {
    this.#server ??= this.#run(binary(), 'kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPorts[0]}`,
      `--cert-dir=${this.#path('certificates')}`,
      `--secure-port=${this.port}`,
      '--bind-address=127.0.0.1',
      `--service-account-key-file=${this.#path('accounts.key')}`,
      `--service-account-signing-key-file=${this.#path('accounts.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--token-auth-file=${this.#path('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--disable-admission-plugins=ServiceAccount',
    ]);
    await until(
      'the API server is ready',
      async () => (await this.ask('GET', '/readyz')).code === 200,
    );
  }

  /** Ends it at once, as a power cut would; what it knows stays. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await end(server);
  }

  /** Asks as somebody. A body is sent as JSON, or as what `type` says. */
  async ask(
    method: string,
    path: string,
    options: { readonly as?: Person; readonly body?: unknown; readonly type?: string } = {},
  ): Promise<{ readonly code: number; readonly body: unknown }> {
    const { as = 'admin', body, type = 'application/json' } = options;
    const asked = request({
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      headers: { authorization: `Bearer ${TOKENS[as]}`, 'content-type': type },
      // Its certificate is its own; that the client is shown it is what kubeconfig files below are for.
      rejectUnauthorized: false,
      agent: false,
      timeout: 5_000,
    });
    asked.on('timeout', () => asked.destroy(new Error('the API server hangs')));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const answer = await text(response);
    const isJson = response.headers['content-type']?.startsWith('application/json') === true;
    return { code: response.statusCode ?? 0, body: isJson ? JSON.parse(answer) : answer };
  }

  /** @param port - Of a proxy in between; by default the server's own. @returns The file, for KUBECONFIG. */
  async writeKubeconfig(name: string, as: Person, port: number = this.port): Promise<string> {
    const file = this.#path(`${name}.kubeconfig`);
    const certificate = await readFile(this.#path('certificates/apiserver.crt'));
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'here',
          cluster: {
            server: `https://127.0.0.1:${port}`,
            'certificate-authority-data': certificate.toString('base64'),
          },
        },
      ],
      users: [{ name: as, user: { token: TOKENS[as] } }],
      contexts: [{ name: 'here', context: { cluster: 'here', user: as } }],
      'current-context': 'here',
    };
    await writeFile(file, stringify(config));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    await end(this.#etcd);
    await rm(this.#etcdFolder, { recursive: true, force: true });
    await rm(this.folder, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#path('certificates'));
    execFileSync('openssl', ['genrsa', '-out', this.#path('accounts.key'), '2048'], {
      stdio: 'ignore',
    });
    const accounts = 'system:serviceaccounts,system:serviceaccounts:rackfire';
    const rows = [
      `${TOKENS.admin},admin,admin,"system:masters"`,
      `${TOKENS.rackfire},system:serviceaccount:rackfire:rackfire,rackfire,"${accounts}"`,
    ];
    await writeFile(this.#path('tokens.csv'), `${rows.join('\n')}\n`, { mode: 0o600 });
  }

  #startEtcd(): void {
    const [clients = 0, peers = 0] = this.#etcdPorts;
    this.#etcd = this.#run('etcd', 'etcd', [
      `--data-dir=${this.#etcdFolder}`,
      `--listen-client-urls=http://127.0.0.1:${clients}`,
      `--advertise-client-urls=http://127.0.0.1:${clients}`,
      `--listen-peer-urls=http://127.0.0.1:${peers}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peers}`,
      `--initial-cluster=default=http://127.0.0.1:${peers}`,
    ]);
  }

  #run(command: string, name: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.folder });
    const log = createWriteStream(this.#path(`${name}.log`), { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    // Said by whoever waits for it.
    child.on('error', (error) => log.write(`${String(error)}\n`));
    return child;
  }

  #path(name: string): string {
    return join(this.folder, name);
  }
}

function binary(): string {
  const path = process.env['RACKFIRE_KUBE_APISERVER'];
  if (path === undefined) {
    throw new Error('run `npm run test:kubernetes`, which builds the API server');
  }
  return path;
}

/** Polls, because the server's start has no event. @throws Error at the deadline, with the last failure. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  deadlineMs: number = READY_DEADLINE_MS,
): Promise<void> {
  const lateAtMs = performance.now() + deadlineMs;
  let failure: unknown;
  while (performance.now() < lateAtMs) {
    try {
      if (await isSo()) {
        return;
      }
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`not within ${deadlineMs / 1_000} s: ${what}`, { cause: failure });
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
