import { once } from 'node:events';
import { connect } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { startHttp } from '../../src/http/server.ts';
import { Lab } from '../control/lab.ts';

async function startServer(lab: Lab) {
  const registry = new Registry();
  new Gauge({ name: 'rackfire_test', help: 'For this test.', registers: [registry] }).set(7);
  const options = { host: '127.0.0.1', port: 0, controller: lab.controller, registry };
  const { server, port } = await startHttp(options);
  return {
    port,
    get: async (path: string, init?: RequestInit) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

test('healthy is a loop that turns: not before its first tick, not 15 s after its last', async () => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  expect(await http.get('/healthz')).toMatchObject({ status: 503 });
  lab.start();
  await lab.clock.step(2_000);
  expect(await http.get('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });

  // Nobody steps the clock for the loop, as if it were stuck.
  await lab[Symbol.asyncDispose]();
  await lab.clock.step(15_000);
  expect(await http.get('/healthz')).toMatchObject({ status: 503 });
});

test('a balancer that never answers makes it healthy, but not ready', async () => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  lab.world.balancer.silent = 'hang';
  lab.start();
  await lab.clock.step(10_000);
  expect((await http.get('/healthz')).status).toBe(200);
  expect((await http.get('/readyz')).status).toBe(503);
  lab.world.balancer.silent = 'no';
  await lab.clock.step(10_000);
  expect(await http.get('/readyz')).toMatchObject({ status: 200, text: 'ok\n' });
});

test('metrics are those of the registry, in its content type, whatever the query says', async () => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  const answer = await http.get('/metrics?name=x');
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('rackfire_test 7');
  expect(answer.headers.get('content-type')).toContain('text/plain');
});

test.each([
  { path: '/', method: 'GET', status: 404 },
  { path: '/metrics/x', method: 'GET', status: 404 },
  { path: '/metrics', method: 'POST', status: 405 },
  { path: '/metrics', method: 'HEAD', status: 200 },
])('$method $path is answered with $status', async ({ path, method, status }) => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  expect((await http.get(path, { method })).status).toBe(status);
});

test.each(['//', 'http://[', '/%', '*'])('a path that is none (%s) ends nothing', async (path) => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  const socket = connect(http.port, '127.0.0.1');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 40/);
  expect((await http.get('/metrics')).status).toBe(200);
});

test('an address that is in use is an error', async () => {
  await using lab = new Lab();
  await using http = await startServer(lab);
  const { controller } = lab;
  const options = { host: '127.0.0.1', port: http.port, controller, registry: new Registry() };
  await expect(startHttp(options)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
