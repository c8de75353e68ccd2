import { readFileSync } from 'node:fs';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import {
  AlreadyExistsError,
  DaemonError,
  DataplaneError,
  InvalidError,
  NoAnswerError,
  NotFoundError,
  OutdatedTransactionError,
  TooManyTransactionsError,
  UnauthorizedError,
  VersionConflictError,
} from '../../../src/balancer/dataplane/client-errors.ts';
import { DataplaneClient } from '../../../src/balancer/dataplane/client.ts';
import { never } from '../runtime/lab.ts';
import { type HttpGate, openHttpGate, type Reply } from './http-gate.ts';

const credentials = { username: 'rackfire', password: 'secret:of-ours' };
const info: Reply = { status: 200, body: '{"api":{"version":"v3.2.15 1d721ee"},"system":{}}' };

function clientOf({ url }: { readonly url: string }): DataplaneClient {
  return new DataplaneClient({ url, ...credentials });
}

/** A daemon that has one answer to all but who it is. */
async function daemonThatSays(reply: Reply): Promise<HttpGate> {
  const gate = await openHttpGate();
  gate.guard = ({ path }) => (path === '/v3/info' ? info : reply);
  return gate;
}

async function errorOf(work: Promise<unknown>): Promise<DataplaneError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DataplaneError)) {
    throw new Error(`no error of the client: ${inspect(error)}`);
  }
  return error;
}

describe('which API a daemon speaks', () => {
  test.each(['/v2', '/v3'] as const)('%s is found by asking, once', async (base) => {
    await using gate = await openHttpGate();
    gate.guard = ({ path }) => {
      if (path === `${base}/info`) {
        return info;
      }
      return path === `${base}/services/haproxy/configuration/version`
        ? { status: 200, body: '7\n' }
        : undefined;
    };
    const client = clientOf(gate);

    expect(await client.configurationVersion(never)).toBe(7);
    expect(await client.configurationVersion(never)).toBe(7);

    expect(gate.asked.filter(({ path }) => path === `${base}/info`)).toHaveLength(1);
    expect((await client.info(never)).base).toBe(base);
  });

  test('what is no Data Plane API is told so, after both were asked for', async () => {
    await using gate = await openHttpGate();
    const error = await errorOf(clientOf(gate).info(never));
    expect(error).toBeInstanceOf(DaemonError);
    expect(error.message).toContain('neither /v3 nor /v2');
    expect(gate.asked.map(({ path }) => path)).toEqual(['/v3/info', '/v2/info']);
  });
});

describe('an answer that is no success', () => {
  test.each([
    [409, '15: version in configuration file is 2, given version is 1', VersionConflictError],
    [
      409,
      'version mismatch: version in configuration file is 5, given version is 4',
      VersionConflictError,
    ],
    [
      409,
      'version mismatch: version mismatch, transaction version: 8, configured version: 9',
      VersionConflictError,
    ],
    [409, '31: server n1 already exists in web backend', AlreadyExistsError],
    [409, 'object already exists: server n1 already exists in web backend', AlreadyExistsError],
    [406, 'transaction 7d2a is outdated and cannot be committed', OutdatedTransactionError],
    [429, 'cannot start a new transaction, reached the maximum', TooManyTransactionsError],
    [404, 'missing object: server nope does not exist in web backend', NotFoundError],
    [500, 'no data for web/nope: not found', NotFoundError],
    [400, 'validation error: exit status 1: err transactionId=… \nmsg="config …"', InvalidError],
    [422, 'port in body should be less than or equal to 65535', InvalidError],
    [500, 'open /etc/haproxy/haproxy.cfg: no space left on device', DaemonError],
    [502, '<html>Bad Gateway</html>', DaemonError],
    [204, '', undefined],
    [200, '{', DaemonError],
  ])('%i %s', async (status, message, kind) => {
    const body =
      message.startsWith('<') || message.length < 2
        ? message
        : JSON.stringify({ code: status, message });
    await using gate = await daemonThatSays({ status, body });
    const asked = clientOf(gate).setRuntimeServer('web', 'n1', { admin_state: 'drain' }, never);
    if (kind === undefined) {
      await expect(asked).resolves.toBeUndefined();
    } else {
      expect((await errorOf(asked)).constructor).toBe(kind);
    }
  });

  test('the message has one line, says what was asked, and is bounded', async () => {
    const message = `validation error:\nmsg="${'x'.repeat(5_000)}"`;
    await using gate = await daemonThatSays({ status: 400, body: JSON.stringify({ message }) });
    const error = await errorOf(clientOf(gate).servers('web', never));
    expect(error.message).toMatch(/^GET http\S+servers was answered with 400: validation error: /);
    expect(error.message).not.toContain('\n');
    expect(error.message.length).toBeLessThan(600);
  });

  test('an empty statistic is no list of no servers', async () => {
    await using gate = await daemonThatSays({ status: 200, body: '{"runtimeAPI":"/run/x"}' });
    const error = await errorOf(clientOf(gate).stats(never));
    expect(error).toBeInstanceOf(DaemonError);
    expect(error.message).toContain('master_runtime');
  });
});

describe('the password', () => {
  test.each<Reply>([
    { status: 401, body: '{"code":401,"message":"invalid password: secret:of-ours"}' },
    { status: 403, body: 'secret:of-ours' },
    { status: 400, body: '{"message":"secret:of-ours is not valid"}' },
    { status: 500, body: 'panic: secret:of-ours' },
    { status: 200, body: 'secret:of-ours' },
  ])('is in no error: $status $body', async (reply) => {
    await using gate = await daemonThatSays(reply);
    const error = await errorOf(clientOf(gate).configurationVersion(never));

    const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)}`;
    expect(shown).not.toContain('secret');
    expect(shown).not.toContain(Buffer.from('rackfire:secret:of-ours').toString('base64'));
    expect(error instanceof UnauthorizedError).toBe(/40[13]/.test(String(reply.status)));
  });

  test('is in no error of a daemon that ends the connection or does not listen', async () => {
    const gate = await openHttpGate();
    gate.guard = () => Promise.reject(new Error('ended'));
    const client = clientOf(gate);
    const ended = await errorOf(client.info(never));
    await gate[Symbol.asyncDispose]();
    const gone = await errorOf(client.info(never));

    expect([ended.constructor, gone.constructor]).toEqual([NoAnswerError, NoAnswerError]);
    expect(gone.message).toContain('nobody listens');
    expect(inspect([ended, gone], { depth: 10, showHidden: true })).not.toMatch(
      /secret|cmFja2Zpcm/,
    );
  });

  test('does not follow a redirect', async () => {
    await using elsewhere = await openHttpGate();
    const headers = { Location: `${elsewhere.url}/v3/info` };
    await using gate = await openHttpGate();
    gate.guard = () => ({ status: 307, headers });

    expect(await errorOf(clientOf(gate).info(never))).toBeInstanceOf(DaemonError);
    expect(elsewhere.asked).toEqual([]);
  });

  test('goes to no proxy of the environment', async () => {
    await using proxy = await openHttpGate();
    await using gate = await daemonThatSays({ status: 200, body: '1' });
    process.env['http_proxy'] = proxy.url;
    try {
      await clientOf(gate).info(never);
    } finally {
      delete process.env['http_proxy'];
    }
    expect(proxy.asked).toEqual([]);
    expect(gate.asked).toHaveLength(1);
  });

  test.each(['http://u:secret@10.0.0.5:5555', 'ftp://10.0.0.5', 'http://10.0.0.5/v3', '10.0.0.5'])(
    'a url that cannot be used is not quoted: %s',
    (url) => {
      const create = (): unknown => new DataplaneClient({ url, ...credentials });
      expect(create).toThrow(/"https:\/\/10.0.0.5:5555"/);
      expect(create).not.toThrow(/secret/);
    },
  );
});

describe('a connection', () => {
  test('is kept for the next question', async () => {
    let connections = 0;
    await using gate = await daemonThatSays({ status: 200, body: '1' });
    gate.onConnection = () => {
      connections += 1;
    };
    const client = clientOf(gate);
    for (const _ of [1, 2, 3, 4]) {
      await client.configurationVersion(never);
    }
    expect(connections).toBe(1);
  });

  test('that is not answered is given up with its signal, and at once', async () => {
    await using gate = await openHttpGate();
    const asked = Promise.withResolvers<void>();
    gate.guard = () => {
      asked.resolve();
      return new Promise(() => undefined);
    };
    const stop = new AbortController();
    const answer = errorOf(clientOf(gate).info(stop.signal));
    await asked.promise;
    stop.abort(new Error('no longer'));
    expect(await answer).toBeInstanceOf(NoAnswerError);
  });

  test('that is taken and never answered is given up after 4 s', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const startedAtMs = performance.now();

    const error = await errorOf(clientOf({ url: `http://127.0.0.1:${port}` }).info(never));

    silent.close();
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(performance.now() - startedAtMs).toBeGreaterThan(3_900);
  });
});

describe('TLS', () => {
  const pem = (name: string): string =>
    readFileSync(join(resolve(import.meta.dirname, '../../fixtures/tls'), name), 'utf8');
  const [ca, cert, key] = [pem('ca.crt'), pem('client.crt'), pem('client.key')];
  const servers: { close: () => void }[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
    }
  });

  async function startDaemon(options: ServerOptions = {}): Promise<string> {
    const server = createTlsServer(
      { cert: pem('server.crt'), key: pem('server.key'), ...options },
      (_, response) => response.end(info.body),
    );
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  test('the daemon is trusted by the authority given, and by no other', async () => {
    const url = await startDaemon();
    const trusting = new DataplaneClient({ url, ...credentials, tls: { ca } });
    expect((await trusting.info(never)).base).toBe('/v3');

    const error = await errorOf(new DataplaneClient({ url, ...credentials }).info(never));
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error.message).toContain('its certificate is not trusted');
  });

  test('a client certificate is shown where one is asked for', async () => {
    const url = await startDaemon({ ca, requestCert: true, rejectUnauthorized: true });
    const known = new DataplaneClient({ url, ...credentials, tls: { ca, cert, key } });
    expect((await known.info(never)).base).toBe('/v3');

    const unknown = new DataplaneClient({ url, ...credentials, tls: { ca } });
    expect(await errorOf(unknown.info(never))).toBeInstanceOf(NoAnswerError);
  });

  test('material that is none is refused at once', () => {
    const tls = { ca, cert, key: 'no key' };
    const url = 'https://127.0.0.1:1';
    expect(() => new DataplaneClient({ url, ...credentials, tls })).toThrow(/PEM|DECODER/i);
  });
});

/** What is asked for a backend and server with names that mean something in a URL. */
test.each([
  ['/v2', '/v2/services/haproxy/runtime/servers/a%2Fb%3Fc?backend=w%26x%3D1'],
  ['/v3', '/v3/services/haproxy/runtime/backends/w%26x%3D1/servers/a%2Fb%3Fc'],
] as const)('of %s names stay names', async (base, expected) => {
  await using gate = await openHttpGate();
  gate.guard = ({ path }) => {
    if (path === `${base}/info`) {
      return info;
    }
    return path.endsWith('/info') ? undefined : { status: 200, body: '{}' };
  };
  await clientOf(gate).setRuntimeServer('w&x=1', 'a/b?c', { admin_state: 'drain' }, never);
  expect(gate.asked.at(-1)).toEqual({
    method: 'PUT',
    path: expected,
    body: '{"admin_state":"drain"}',
  });
});
