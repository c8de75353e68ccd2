/** The part of Kubernetes' API that one Lease needs, in this process; it may be made to refuse and to hang. */

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';

export interface StoredLease {
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What it answers instead, until it is cleared. */
export type Mood =
  | 'well'
  | 'hangs'
  | { readonly code: number; readonly message: string; readonly onlyOf?: string };

export class LeaseServer implements AsyncDisposable {
  lease: StoredLease | undefined;
  mood: Mood = 'well';
  /** Methods of all requests, in order. */
  readonly asked: string[] = [];
  /** Requests that were given up before they were answered. */
  abandoned = 0;
  readonly #folder: string;
  readonly #server: Server;
  #versions = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Also names it in `KUBECONFIG`, which this process has from then on. */
  static async start(): Promise<LeaseServer> {
    const server = new LeaseServer(await mkdtemp(join(tmpdir(), 'rackfire-leases-')));
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    const address = server.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    const file = join(server.#folder, 'kubeconfig');
    await writeFile(
      file,
      stringify({
        clusters: [{ name: 'here', cluster }],
        users: [{ name: 'me', user: { token: 'secret' } }],
        contexts: [{ name: 'here', context: { cluster: 'here', user: 'me' } }],
        'current-context': 'here',
      }),
    );
    process.env['KUBECONFIG'] = file;
    return server;
  }

  /** By somebody else. */
  edit(change: { readonly metadata?: object; readonly spec?: object }): void {
    const { lease } = this;
    if (lease === undefined) {
      throw new Error('there is no lease');
    }
    this.lease = {
      metadata: { ...lease.metadata, ...change.metadata, resourceVersion: this.#nextVersion() },
      spec: { ...lease.spec, ...change.spec },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    delete process.env['KUBECONFIG'];
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request;
    this.asked.push(method);
    response.on('close', () => {
      this.abandoned += response.writableFinished ? 0 : 1;
    });
    const sent = await text(request);
    if (this.mood === 'hangs') {
      return;
    }
    const isSpared =
      this.mood !== 'well' && this.mood.onlyOf !== undefined && this.mood.onlyOf !== method;
    const { code, body } =
      this.mood === 'well' || isSpared
        ? this.#carryOut(method, sent)
        : { code: this.mood.code, body: { kind: 'Status', message: this.mood.message } };
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  #carryOut(method: string, sent: string): { readonly code: number; readonly body: unknown } {
    const fail = (code: number) => ({ code, body: { kind: 'Status', message: `code ${code}` } });
    const { lease } = this;
    if (method === 'POST') {
      if (lease !== undefined) {
        return fail(409);
      }
      const { metadata, spec } = JSON.parse(sent) as StoredLease;
      const creationTimestamp = new Date().toISOString().replace(/\.\d+/, '');
      this.lease = {
        metadata: {
          ...metadata,
          uid: 'u1',
          resourceVersion: this.#nextVersion(),
          creationTimestamp,
        },
        spec,
      };
      return { code: 201, body: this.lease };
    }
    if (lease === undefined) {
      return fail(404);
    }
    if (method === 'PUT') {
      const { metadata, spec } = JSON.parse(sent) as StoredLease;
      const { uid, resourceVersion } = lease.metadata;
      if (metadata.uid !== uid || metadata.resourceVersion !== resourceVersion) {
        return fail(409);
      }
      this.lease = { metadata: { ...metadata, resourceVersion: this.#nextVersion() }, spec };
    }
    return { code: 200, body: this.lease };
  }

  #nextVersion(): string {
    this.#versions += 1;
    return String(this.#versions);
  }
}
