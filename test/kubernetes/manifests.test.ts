/** What operators apply is taken by a real API server, and gives Rackfire the rights that it needs and no other. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import { createLeaseLeadership } from '../../src/leader/lease-leadership.ts';
import { ApiServer, until } from './api-server.ts';
import { applyManifests, collectionOf, type Manifest, pathOf, readManifests } from './manifests.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/rackfire/leases';
const LEASE = `${LEASES}/rackfire`;
/** So that a request may take 1.5 s, on a machine that is busy. */
const TIMINGS = { leaseMs: 5_000, renewDeadlineMs: 4_500, retryMs: 300 };
const LED_WITHIN_MS = 40_000;
const TEST_DEADLINE_MS = 60_000;

let api: ApiServer;
let manifests: readonly Manifest[];

beforeAll(async () => {
  api = await ApiServer.start();
  await applyManifests(api);
  manifests = await readManifests();
  process.env['KUBECONFIG'] = await api.writeKubeconfig('rackfire', 'rackfire');
}, 240_000);

afterAll(async () => {
  delete process.env['KUBECONFIG'];
  await api[Symbol.asyncDispose]();
});

function manifest(kind: string): Manifest {
  return manifests.find((one) => one.kind === kind)!;
}

/** Contends as a replica does. @returns Why it cannot, or undefined when it leads and then renews. */
async function contend(): Promise<string | undefined> {
  const clock = createSystemClock();
  const place = { namespace: 'rackfire', name: 'rackfire' };
  const leadership = createLeaseLeadership({ ...place, ...TIMINGS, clock });
  try {
    await leadership.started;
    let ledAtMs: number | undefined;
    await until(
      'it leads and renews, or is refused',
      () => {
        const isLeader = leadership.term() !== undefined;
        ledAtMs = isLeader ? (ledAtMs ?? performance.now()) : undefined;
        const hasRenewed = performance.now() - (ledAtMs ?? performance.now()) > TIMINGS.leaseMs;
        return leadership.trouble !== undefined || hasRenewed;
      },
      LED_WITHIN_MS,
    );
    return leadership.trouble;
  } finally {
    await leadership.close();
  }
}

test('a pod of the Deployment is admitted under the restricted pod security of its namespace', async () => {
  const { spec } = manifest('Deployment') as unknown as {
    readonly spec: { readonly template: Readonly<Record<string, unknown>> };
  };
  const pod: Manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    ...spec.template,
    metadata: { name: 'rackfire-1', namespace: 'rackfire' },
  };
  const created = await api.ask('POST', `${collectionOf(pod)}?dryRun=All&fieldValidation=Strict`, {
    body: pod,
  });
  expect(created, JSON.stringify(created.body)).toMatchObject({ code: 201 });
  // The admission is at work: the same as root is not admitted.
  const { securityContext: _, ...loose } = spec.template['spec'] as Readonly<
    Record<string, unknown>
  >;
  const refused = await api.ask('POST', `${collectionOf(pod)}?dryRun=All`, {
    body: { ...pod, spec: loose },
  });
  expect(refused.code).toBe(403);
});

describe('with the rights of its Role', () => {
  test('a replica leads by a Lease that it makes itself, renews it, and gives it away', {
    timeout: TEST_DEADLINE_MS,
  }, async () => {
    await api.ask('DELETE', LEASE);
    expect(await contend()).toBeUndefined();
    expect((await api.ask('GET', LEASE)).body).toMatchObject({
      spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 1 },
    });
  });

  test.each<[string, string, string, unknown?]>([
    ['list leases', 'GET', LEASES],
    ['read another Lease', 'GET', `${LEASES}/another`],
    ['delete its own Lease', 'DELETE', LEASE],
    ['patch its own Lease', 'PATCH', LEASE, {}],
    ['make a Lease in another namespace', 'POST', LEASES.replace('rackfire', 'default'), {}],
    ['read Secrets', 'GET', '/api/v1/namespaces/rackfire/secrets/rackfire'],
    ['list pods', 'GET', '/api/v1/namespaces/rackfire/pods'],
    [
      'read its own Role',
      'GET',
      '/apis/rbac.authorization.k8s.io/v1/namespaces/rackfire/roles/rackfire',
    ],
  ])('it cannot %s', async (_, method, path, body) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const options = body === undefined ? {} : { body, type };
    expect((await api.ask(method, path, { as: 'rackfire', ...options })).code).toBe(403);
  });
});

describe('each right is needed: without', () => {
  test.each([
    ['create', 'cannot create'],
    ['get', 'cannot get'],
    ['update', 'cannot update'],
  ])(
    '`%s` nobody leads, and it is said why',
    { timeout: TEST_DEADLINE_MS },
    async (verb, complaint) => {
      await api.ask('DELETE', LEASE);
      const role = manifest('Role') as Manifest & {
        readonly rules: readonly { readonly verbs: readonly string[] }[];
      };
      const rules = role.rules
        .map((rule) => ({ ...rule, verbs: rule.verbs.filter((one) => one !== verb) }))
        .filter(({ verbs }) => verbs.length > 0);
      const changed = await api.ask('PUT', pathOf(role), { body: { ...role, rules } });
      expect(changed.code).toBe(200);
      try {
        // The authorizer hears of it a moment later.
        await until('the right is gone', async () => !(await can(verb)));
        expect(await contend()).toContain(complaint);
      } finally {
        await applyManifests(api);
        await until('the right is back', () => can(verb));
      }
    },
  );
});

async function can(verb: string): Promise<boolean> {
  const { body } = await api.ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    as: 'rackfire',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          group: 'coordination.k8s.io',
          resource: 'leases',
          namespace: 'rackfire',
          name: verb === 'create' ? '' : 'rackfire',
          verb,
        },
      },
    },
  });
  return (body as { readonly status?: { readonly allowed?: boolean } }).status?.allowed === true;
}
