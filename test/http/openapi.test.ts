/** The document, held against the real answers. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { once } from 'node:events';
import { beforeAll, expect, test } from 'vitest';
import { type Answer, ApiLab, type Asked, TOKEN, withSecondBalancer } from './api-lab.ts';
import { Contract, type OpenApiDocument } from './contract.ts';

/** What no request can bring about: a defect. */
const NEVER_SEEN = ['internal'];

const FOR = { for: '2h', reason: 'deploy of the shop' };
const PAUSE = { kind: 'pause', tier: 'news/web', direction: 'in', ...FOR };
const HOLD = { kind: 'hold', tier: 'news/web', nodes: 4, ...FOR };
const PROTECT = { kind: 'protect', node: 'news-web-1', ...FOR };

const DRAIN_HOST = { kind: 'drain-host', host: 'local-b', ...FOR };

const EXCLUDE = { kind: 'exclude-balancer', balancer: 'lb-b', ...FOR };

const WRITE = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

async function readDocument(): Promise<OpenApiDocument> {
  await using lab = await ApiLab.start();
  return (await lab.get('/api/v1/openapi.json')).json as OpenApiDocument;
}

let contract: Contract;
beforeAll(async () => {
  contract = new Contract(await readDocument());
});

/** One way to each answer of an operation. */
interface Way {
  readonly operation: string;
  /** `200`, or status and code. */
  readonly expected: string;
  readonly asked: Asked;
  /** What has happened before. */
  readonly before?: (lab: ApiLab) => unknown;
  readonly edit?: (text: string) => string;
}

const EXPLANATION = '/api/v1/tiers/news/web/explanation';
const DECISIONS = '/api/v1/tiers/news/web/decisions';

const reads: readonly Way[] = [
  { operation: 'getStatus', expected: '200', asked: { path: '/api/v1/status' } },
  { operation: 'getOpenApi', expected: '200', asked: { path: '/api/v1/openapi.json' } },
  { operation: 'listOverrides', expected: '200', asked: { path: '/api/v1/overrides' } },
  ...['/api/v1/overrides', '/api/v1/status'].map((path) => ({
    operation: path === '/api/v1/status' ? 'getStatus' : 'listOverrides',
    expected: '200',
    asked: { path },
    before: (lab: ApiLab) => lab.write('POST', '/api/v1/overrides', DRAIN_HOST),
  })),
  {
    operation: 'getStatus',
    expected: '200',
    asked: { path: '/api/v1/status' },
    before: (lab: ApiLab) => lab.write('POST', '/api/v1/overrides', EXCLUDE),
    edit: withSecondBalancer,
  },
  { operation: 'explainTier', expected: '200', asked: { path: EXPLANATION } },
  {
    operation: 'explainTier',
    expected: '400 invalid-request',
    asked: { path: `${EXPLANATION}?at=yesterday` },
  },
  {
    operation: 'explainTier',
    expected: '404 unknown-tier',
    asked: { path: '/api/v1/tiers/news/mail/explanation' },
  },
  {
    operation: 'explainTier',
    expected: '404 nothing-kept',
    asked: { path: `${EXPLANATION}?at=2020-01-01T00:00:00Z` },
  },
  {
    operation: 'explainTier',
    expected: '503 journal-unavailable',
    asked: { path: `${EXPLANATION}?at=2020-01-01T00:00:00Z` },
    before: (lab) => {
      lab.journal = undefined;
    },
  },
  { operation: 'listDecisions', expected: '200', asked: { path: DECISIONS } },
  {
    operation: 'listDecisions',
    expected: '400 invalid-request',
    asked: { path: `${DECISIONS}?limit=0` },
  },
  {
    operation: 'listDecisions',
    expected: '404 unknown-tier',
    asked: { path: '/api/v1/tiers/news/db/decisions' },
  },
  {
    operation: 'listDecisions',
    expected: '503 journal-unavailable',
    asked: { path: DECISIONS },
    before: (lab) => {
      lab.journalPart.broken = 'disk full';
    },
  },
  { operation: 'listEvents', expected: '200', asked: { path: '/api/v1/events' } },
  {
    operation: 'listEvents',
    expected: '400 invalid-request',
    asked: { path: '/api/v1/events?since=-1' },
  },
  {
    operation: 'followEvents',
    expected: '400 invalid-request',
    asked: { path: '/api/v1/events/stream', headers: { 'last-event-id': 'seven' } },
  },
  {
    operation: 'followEvents',
    expected: '503 too-many-followers',
    asked: { path: '/api/v1/events/stream' },
    before: async (lab) => {
      for (let follower = 0; follower < 32; follower += 1) {
        await follow(lab);
      }
    },
  },
];

const POST = { method: 'POST', path: '/api/v1/overrides', headers: WRITE };
const DELETE = { method: 'DELETE', path: '/api/v1/overrides/o1', headers: WRITE };
const RELOAD = { method: 'POST', path: '/api/v1/config/reload', headers: WRITE };

function post(expected: string, body: unknown, before?: Way['before']): Way {
  const asked = { ...POST, body: JSON.stringify(body) };
  return {
    operation: 'giveOverride',
    expected,
    asked,
    ...(before === undefined ? {} : { before }),
  };
}

const writes: readonly Way[] = [
  post('201', PAUSE),
  post('400 invalid-request', { ...PAUSE, for: '2w' }),
  post('404 unknown-tier', { ...PAUSE, tier: 'news/mail' }),
  post('201', DRAIN_HOST),
  {
    ...post('201', EXCLUDE),
    edit: withSecondBalancer,
  },
  post('404 unknown-balancer', EXCLUDE),
  post('409 override-conflict', { ...EXCLUDE, balancer: 'lb-a' }),
  post('404 unknown-host', { ...DRAIN_HOST, host: 'local-c' }),
  post('404 unknown-node', { ...PROTECT, node: 'news-web-7' }),
  post('409 node-unfit', PROTECT, async (lab) => {
    lab.world.host(0).silent = 'unreachable';
    lab.world.balancer.silent = 'unreachable';
    await lab.clock.step(15_000);
  }),
  post('409 override-conflict', PROTECT, (lab) =>
    lab.write('POST', POST.path, { ...PROTECT, kind: 'drain' }),
  ),
  post('409 out-of-bounds', { ...HOLD, nodes: 9 }),
  {
    operation: 'withdrawOverride',
    expected: '200',
    asked: DELETE,
    before: (lab) => lab.write('POST', POST.path, PAUSE),
  },
  { operation: 'withdrawOverride', expected: '404 unknown-override', asked: DELETE },
  {
    operation: 'withdrawOverride',
    expected: '400 invalid-request',
    asked: { ...DELETE, path: `/api/v1/overrides/${'o'.repeat(33)}` },
  },
  { operation: 'reloadConfig', expected: '200', asked: { ...RELOAD, body: '{}' } },
  ...[POST, RELOAD].map((asked) => ({
    operation: asked === POST ? 'giveOverride' : 'reloadConfig',
    expected: '415 not-json',
    asked: { ...asked, headers: { ...WRITE, 'content-type': 'text/plain' }, body: '{}' },
  })),
];

/** The answers that all writes have in common. */
const guards: readonly Way[] = [
  { operation: 'giveOverride', asked: { ...POST, body: JSON.stringify(PAUSE) } },
  { operation: 'withdrawOverride', asked: DELETE },
  { operation: 'reloadConfig', asked: { ...RELOAD, body: '{}' } },
].flatMap(({ operation, asked }): Way[] => [
  {
    operation,
    expected: '401 unauthorized',
    asked: { ...asked, headers: { ...WRITE, authorization: 'Bearer of-another-kind-of-token' } },
  },
  {
    operation,
    expected: '403 writes-off',
    asked,
    edit: (text) => text.replace(/, tokenFile: .* }/, ' }'),
  },
  {
    operation,
    expected: '411 length-required',
    asked: { ...asked, headers: { ...WRITE, 'transfer-encoding': 'chunked' } },
  },
  {
    operation,
    expected: '413 too-large',
    asked: { ...asked, body: JSON.stringify({ ...PAUSE, reason: 'x'.repeat(1_048_576) }) },
  },
  {
    operation,
    expected: '503 not-leader',
    asked,
    before: (lab) => {
      lab.world.lease.held = undefined;
    },
  },
  {
    operation,
    expected: '503 token-file-unusable',
    asked,
    before: (lab) => rm(lab.tokenFile),
  },
]);

test.each([...reads, ...writes, ...guards])(
  '$operation: $expected is as documented ($asked.path)',
  async ({ operation, expected, asked, before, edit }) => {
    await using lab = await ApiLab.startSettled(edit === undefined ? {} : { editConfig: edit });
    await before?.(lab);
    const answer = await lab.ask(asked);
    contract.hold(operation, answer);
    const { error } = answer.json as { readonly error?: { readonly code: string } };
    expect([answer.status, error?.code ?? []].flat().join(' ')).toBe(expected);
  },
);

test('followEvents: 200 is as documented', async () => {
  await using lab = await ApiLab.startSettled();
  const answer = await follow(lab);
  contract.hold('followEvents', answer);
  expect(answer.status).toBe(200);
});

test('every operation refuses other hosts and pages of other sites, as documented', async () => {
  await using lab = await ApiLab.startSettled();
  for (const { path, method, operation } of contract.operations) {
    const asked = { method: method.toUpperCase(), path: fill(path) };
    for (const headers of [{ host: 'rackfire.example:9500' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = await lab.ask({ ...asked, headers });
      expect(answer.status).toBe(403);
      contract.hold(operation.operationId, answer);
    }
  }
});

test('what is documented has been seen, all of it', () => {
  const unseen = contract.documented.filter((one) => !contract.seen.has(one));
  expect(unseen.filter((one) => !NEVER_SEEN.some((code) => one.endsWith(` ${code}`)))).toEqual([]);
  expect([...contract.seen].filter((one) => !contract.documented.includes(one))).toEqual([]);
});

test('a status with everything in it is as documented: nodes, overrides, a shortfall, a refusal', async () => {
  await using lab = await ApiLab.startSettled({ rps: 2_000, nodes: 4 });
  await lab.write('POST', POST.path, PAUSE);
  await lab.write('POST', POST.path, PROTECT);
  lab.world.host(1).silent = 'unreachable';
  lab.world.host(0).createFault = 'refuse';
  await writeFile(lab.configFile, 'installation: 7\n');
  await lab.write('POST', RELOAD.path, {});
  await lab.clock.step(20_000);
  const answer = await lab.get('/api/v1/status');
  contract.hold('getStatus', answer);
  expect(answer.json).toMatchObject({
    config: { refusal: { problems: [{ line: 1 }, {}, {}, {}, {}, {}] } },
    silentSources: [{ name: 'local-b' }],
    clusters: [{ tiers: [{ scaling: 'none' }, { overrides: [{ id: 'o1' }, { id: 'o2' }] }] }],
  });
});

test('a status says until when open breakers stop boots, as documented', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100 });
  for (const host of lab.world.hosts) {
    host.createFault = 'refuse';
  }
  lab.world.rps = 2_000;
  await lab.clock.step(20_000);
  const answer = await lab.get('/api/v1/status');
  contract.hold('getStatus', answer);
  const circuitOpenUntil: unknown = expect.stringMatching(/^2023-11-14T22:35:/);
  expect(answer.json).toMatchObject({
    clusters: [{ tiers: [{ scaling: 'none' }, { circuit: 'open', circuitOpenUntil }] }],
  });
});

test('reload: all that can come of it is as documented', async () => {
  await using lab = await ApiLab.startSettled();
  const outcomes: unknown[] = [];
  const text = await readFile(lab.configFile, 'utf8');
  for (const next of [text, text.replace('max: 8', 'max: 9'), 'nonsense']) {
    await writeFile(lab.configFile, next);
    const answer = await lab.write('POST', RELOAD.path, {});
    contract.hold('reloadConfig', answer);
    outcomes.push((answer.json as { readonly outcome: string }).outcome);
  }
  expect(outcomes).toEqual(['unchanged', 'applied', 'refused']);
});

test('explanations of a tier on its way out, held, blocked and back in are as documented', async () => {
  await using lab = await ApiLab.startSettled({ rps: 700 });
  const explain = async () => contract.hold('explainTier', await lab.get(EXPLANATION));
  await explain();
  await lab.write('POST', POST.path, { ...HOLD, nodes: 3 });
  lab.world.rps = 50;
  for (let step = 0; step < 10; step += 1) {
    await lab.clock.step(20_000);
    await explain();
    if (step === 5) {
      await lab.write('DELETE', '/api/v1/overrides/o1');
    }
  }
  const at = new Date(lab.clock.wallMs() - 100_000).toISOString();
  const answer = await lab.get(`${EXPLANATION}?at=${at}`);
  contract.hold('explainTier', answer);
  expect(answer.json).toMatchObject({ source: 'journal', tier: 'news/web' });
});

test('the document is OpenAPI 3.1: operations, parameters, references and schemas hold together', () => {
  const { document, operations } = contract;
  expect(document.openapi).toBe('3.1.0');
  expect(document.info).toMatchObject({ title: 'Rackfire', version: '9.8.7' });
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, method, operation } of operations) {
    expect(path).toMatch(/^\/api\/v1\//);
    expect(['get', 'post', 'delete']).toContain(method);
    const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name);
    const parameters = operation.parameters ?? [];
    expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath);
    for (const { schema } of parameters) {
      contract.compile(schema);
    }
    for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
      contract.compile(schema);
    }
    for (const { description, content } of Object.values(operation.responses)) {
      expect(description).not.toBe('');
      expect(Object.keys(content ?? {})).toHaveLength(1);
    }
    // What changes something needs the token, and nothing else does.
    expect(operation.security).toEqual(method === 'get' ? undefined : [{ token: [] }]);
  }
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g)) {
    expect(document.components.schemas).toHaveProperty(name!);
  }
  // Words of 3.0 that 3.1 has no more.
  expect(text).not.toMatch(/"(?:nullable|example|exclusiveMinimum":true)"/);
  expect(document.components.securitySchemes).toHaveProperty('token');
});

test('what the document says of a body is what is asked of it', async () => {
  await using lab = await ApiLab.startSettled();
  const body = contract.operation('giveOverride').requestBody!.content['application/json']!;
  const isDocumented = contract.compile(body.schema);
  const bodies = [
    PAUSE,
    HOLD,
    { ...HOLD, kind: 'min' },
    { ...PROTECT, node: 'news-web-2' },
    { ...PAUSE, direction: 'up' },
    { ...PAUSE, also: 1 },
    { ...HOLD, nodes: -1 },
    { ...HOLD, nodes: 2.5 },
    { ...HOLD, nodes: '3' },
    { ...PAUSE, for: '2 hours' },
    { ...PAUSE, reason: '' },
    { ...PAUSE, reason: 'x'.repeat(201) },
    { ...PAUSE, reason: 'done\n{"level":50}' },
    { ...PAUSE, reason: undefined },
    { ...PROTECT, tier: 'news/web' },
    {},
    [],
    null,
  ];
  for (const one of bodies) {
    const { status } = await lab.write('POST', POST.path, one);
    expect([one, status]).toEqual([one, isDocumented(structuredClone(one)) ? 201 : 400]);
  }
});

/** Names for the parameters of a path. */
function fill(path: string): string {
  return path.replace('{cluster}', 'news').replace('{tier}', 'web').replace('{id}', 'o1');
}

/** Begins to follow; the answer has what has come at first. */
async function follow(lab: ApiLab): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port: lab.port, path: '/api/v1/events/stream' }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const [chunk] = (await once(response, 'data')) as [Buffer];
  const { statusCode = 0, headers } = response;
  return { status: statusCode, headers, text: chunk.toString(), json: undefined };
}
