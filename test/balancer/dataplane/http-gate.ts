/** A door before a daemon: sees what is asked, and may answer in its place. */

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

export interface Passage {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpGate extends AsyncDisposable {
  readonly url: string;
  /** All that was asked, in its order. */
  readonly asked: readonly Passage[];
  /** Called before a request is passed on; what it returns is answered instead of that. */
  guard: (passage: Passage) => Promise<Reply | undefined> | Reply | undefined;
  /** Called with an answer on its way back; what it returns is answered instead. */
  reword: (passage: Passage, reply: Reply) => Reply;
  onConnection: () => void;
}

/** @param target - The daemon's url; without one, all must be answered by `guard`. */
export async function openHttpGate(target?: string): Promise<HttpGate> {
  const asked: Passage[] = [];
  const agent = new Agent({ keepAlive: true, timeout: 10_000 });
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = (await incoming.toArray()).join('');
    const passage = { method: incoming.method ?? '', path: incoming.url ?? '', body };
    asked.push(passage);
    const reply =
      (await gate.guard(passage)) ??
      gate.reword(passage, await pass(incoming, passage, { target, agent }));
    outgoing.writeHead(reply.status, { 'Content-Type': 'application/json', ...reply.headers });
    outgoing.end(reply.body);
  };
  server.on('connection', () => gate.onConnection());
  // Longer than either side keeps a connection: none is closed under a question.
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const gate: HttpGate = {
    url: `http://127.0.0.1:${port}`,
    asked,
    guard: () => undefined,
    reword: (_, reply) => reply,
    onConnection: () => undefined,
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return gate;
}

/** Orders among what was asked: all that changes something. */
export function countOrders(gate: HttpGate): number {
  return gate.asked.filter(({ method }) => method !== 'GET').length;
}

async function pass(
  incoming: IncomingMessage,
  { method, path, body }: Passage,
  { target, agent }: { readonly target: string | undefined; readonly agent: Agent },
): Promise<Reply> {
  if (target === undefined) {
    return { status: 404, body: '{"code":404,"message":"path was not found"}' };
  }
  const outgoing = request(`${target}${path}`, { method, agent, headers: incoming.headers });
  outgoing.end(body);
  const answered = Promise.withResolvers<IncomingMessage>();
  outgoing.once('response', answered.resolve);
  outgoing.once('error', answered.reject);
  const response = await answered.promise;
  const { 'reload-id': reloadId } = response.headers;
  return {
    status: response.statusCode ?? 0,
    body: (await response.toArray()).join(''),
    ...(typeof reloadId === 'string' ? { headers: { 'Reload-ID': reloadId } } : {}),
  };
}
