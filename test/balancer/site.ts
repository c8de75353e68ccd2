/** Nodes and clients of a small site, in this process. */

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { ScaledTier } from '../../src/scaler/cluster.ts';

/** Node `n` of the tier has 127.0.0.(n+1), so that all have the same port, as real ones do. */
export function makeTier(options: {
  readonly nodes: number;
  readonly minNodes: number;
  readonly nodePort: number;
  readonly frontPort: number | undefined;
  readonly backend?: string;
  readonly maxConnections?: number;
  /** Of health checks; a second by default. */
  readonly intervalMs?: number;
}): ScaledTier {
  const { nodes, nodePort, frontPort, minNodes } = options;
  return {
    scaling: 'automatic',
    cluster: 'news',
    name: 'web',
    image: { name: 'drupal-web', version: '1' },
    size: { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4096 },
    addresses: Array.from({ length: nodes }, (_, index) => `127.0.0.${index + 2}`),
    backend: options.backend ?? 'news-web',
    maxConnections: options.maxConnections ?? 50,
    health: { path: '/health', port: nodePort, intervalMs: options.intervalMs ?? 1_000 },
    frontend:
      frontPort === undefined
        ? undefined
        : { bind: `127.0.0.1:${frontPort}`, queueTimeoutMs: 30_000 },
    policy: {
      minNodes,
      maxNodes: nodes,
      looksAhead: true,
      scaleOut: { tolerance: 0.05, policies: [] },
      scaleIn: { tolerance: 0.1, stabilizationWindowMs: 'auto', policies: [] },
      standby: { state: 'paused', nodes: 0 },
      drainDeadlineMs: 300_000,
      bootDeadlineMs: 120_000,
    },
  };
}

/** A web node: answers its health path at once and its users after `serviceMs`, both with `status`. */
export class WebNode implements AsyncDisposable {
  status = 200;
  serviceMs = 0;
  /** Requests of users, not checks. */
  requests = 0;
  checks = 0;
  #held: Promise<void> = Promise.resolve();
  #release: () => void = () => undefined;
  readonly #server = createServer((question, answer) => {
    answer.statusCode = this.status;
    if (question.url === '/health') {
      this.checks += 1;
      answer.end();
    } else {
      this.requests += 1;
      void this.#held.then(() => setTimeout(() => answer.end('hello'), this.serviceMs));
    }
  });

  static async start(address: string, port: number): Promise<WebNode> {
    const node = new WebNode();
    node.#server.listen(port, address);
    await once(node.#server, 'listening');
    return node;
  }

  /** Users who come from now on are not answered before `release`, however long a test takes to look at them. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    this.#release = resolve;
  }

  release(): void {
    this.#release();
  }

  /** Ends as a guest that is destroyed: at once, with all its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) {
      this.#server.close();
      this.#server.closeAllConnections();
      await once(this.#server, 'close');
    }
  }
}

/** @returns The status; rejects when the connection fails. */
export async function get(port: number, agent?: Agent): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ host: '127.0.0.1', port, path: '/', agent: agent ?? false }, (answer) => {
    answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    answer.on('error', reject);
  })
    .on('error', reject)
    .end();
  return await promise;
}

export interface Load extends AsyncDisposable {
  readonly good: number;
  /** What went wrong, one entry per request. */
  readonly bad: readonly string[];
}

/** Keep-alive clients, each asking again as soon as it is answered, until disposed. */
export function startLoad(port: number, clients: number): Load {
  const bad: string[] = [];
  let good = 0;
  let running = true;
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const loop = async (): Promise<void> => {
    while (running) {
      try {
        const status = await get(port, agent);
        if (status === 200) {
          good += 1;
        } else {
          bad.push(String(status));
        }
      } catch (error) {
        bad.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const loops = Array.from({ length: clients }, loop);
  return {
    get good() {
      return good;
    },
    bad,
    [Symbol.asyncDispose]: async () => {
      running = false;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}

/**
 * Asks again and again, at the pace of the answers, until the answer is as hoped.
 *
 * @throws Error after 20 s, with the last answer: what it waits for takes moments where the machine has time.
 */
export async function until<T>(
  question: () => Promise<T> | T,
  isHoped: (answer: T) => boolean,
): Promise<T> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const answer = await question();
    if (isHoped(answer)) {
      return answer;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`not within 20 s; last: ${JSON.stringify(answer)}`);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 10);
    await promise;
  }
}
