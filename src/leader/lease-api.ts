/** One Lease of Kubernetes' API. The client is big, so it is loaded only when a Lease is what is contended for. */

import type * as KubernetesClient from '@kubernetes/client-node';
import type { CoordinationV1Api, V1Lease } from '@kubernetes/client-node';
import { ConfigError } from '../control/errors.ts';
import type { LeaseAnswer, LeaseContent, LeaseRecord, LeaseRequest } from './elector.ts';

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** What the API server says, and why not where it does not do as it is asked. */
export interface LeaseReply {
  readonly answer: LeaseAnswer;
  readonly why: string | undefined;
}

export interface LeaseApi {
  /** Never rejects. Once the signal is aborted the reply is of no use; a write may have been carried out. */
  send(request: LeaseRequest, signal: AbortSignal): Promise<LeaseReply>;
}

type Client = typeof KubernetesClient;

/**
 * Finds the API server as every client does: `KUBECONFIG`, `~/.kube/config`, or what a pod is given; a token that is
 * given to a pod is read again as it rotates.
 *
 * @throws ConfigError when there is none of these, or when they cannot be used.
 */
export async function openLeaseApi(place: LeaseName): Promise<LeaseApi> {
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    // A YAML error shows the lines around it, and there the token stands: neither they nor the error go on.
    throw unusable(`cannot be used: ${describe(error).split('\n', 1)[0]}`);
  }
  const cluster = config.getCurrentCluster();
  // What the client falls back to when it finds nothing; its scheme would be refused with each request.
  if (cluster === null || cluster.server === 'http://localhost:8080') {
    throw unusable('is not known here');
  }
  return new NamedLease(client, config.makeApiClient(client.CoordinationV1Api), place);
}

class NamedLease implements LeaseApi {
  readonly #client: Client;
  readonly #api: CoordinationV1Api;
  readonly #place: LeaseName;
  /** As last seen: what others have added to it is written back as it was. */
  #latest: V1Lease | undefined;

  constructor(client: Client, api: CoordinationV1Api, place: LeaseName) {
    this.#client = client;
    this.#api = api;
    this.#place = place;
  }

  async send(request: LeaseRequest, signal: AbortSignal): Promise<LeaseReply> {
    try {
      const lease = await this.#ask(request, signal);
      const record = readRecord(lease);
      if (!signal.aborted) {
        this.#latest = lease;
      }
      return { answer: { kind: 'lease', lease: record }, why: undefined };
    } catch (error) {
      return { answer: { kind: this.#judge(error) }, why: describe(error) };
    }
  }

  #ask(request: LeaseRequest, signal: AbortSignal): Promise<V1Lease> {
    const { namespace, name } = this.#place;
    const options = this.#abortedBy(signal);
    switch (request.kind) {
      case 'read':
        return this.#api.readNamespacedLease({ namespace, name }, options);
      case 'create': {
        const spec = this.#specOf(request.content);
        return this.#api.createNamespacedLease(
          { namespace, body: { ...KIND, metadata: { name }, spec } },
          options,
        );
      }
      case 'replace': {
        const { uid, resourceVersion } = request;
        const before = this.#latest;
        // What the client calls classes are plain values.
        // oxlint-disable-next-line typescript/no-misused-spread -- as said
        const metadata = { ...before?.metadata, name, namespace, uid, resourceVersion };
        // oxlint-disable-next-line typescript/no-misused-spread -- as said
        const spec = { ...before?.spec, ...this.#specOf(request.content) };
        return this.#api.replaceNamespacedLease(
          { namespace, name, body: { ...KIND, metadata, spec } },
          options,
        );
      }
    }
  }

  #specOf(content: LeaseContent): NonNullable<V1Lease['spec']> {
    const { V1MicroTime } = this.#client;
    const { acquiredAtMs } = content;
    return {
      holderIdentity: content.holder,
      leaseDurationSeconds: content.leaseSeconds,
      leaseTransitions: content.transitions,
      renewTime: new V1MicroTime(content.renewedAtMs),
      ...(acquiredAtMs === undefined ? {} : { acquireTime: new V1MicroTime(acquiredAtMs) }),
    };
  }

  /** The client has no time-outs: whoever asks ends the request. */
  #abortedBy(
    signal: AbortSignal,
  ): NonNullable<Parameters<CoordinationV1Api['readNamespacedLease']>[1]> {
    const { Observable } = this.#client;
    return {
      middleware: [
        {
          pre: (request) => {
            request.setSignal(signal);
            return new Observable(Promise.resolve(request));
          },
          post: (response) => new Observable(Promise.resolve(response)),
        },
      ],
      middlewareMergeStrategy: 'append',
    };
  }

  #judge(error: unknown): Exclude<LeaseAnswer['kind'], 'lease'> {
    const code = error instanceof this.#client.ApiException ? error.code : undefined;
    switch (code) {
      case 404:
        return 'absent';
      case 409:
        return 'conflict';
      default:
        return 'failed';
    }
  }
}

const KIND = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const;

/** @throws Error when it has not what every object has. */
function readRecord({ metadata = {}, spec = {} }: V1Lease): LeaseRecord {
  const { uid, resourceVersion, creationTimestamp } = metadata;
  if (uid === undefined || resourceVersion === undefined || creationTimestamp === undefined) {
    throw new Error('the answer is no Lease: it has no uid, resourceVersion or creationTimestamp');
  }
  return {
    uid,
    resourceVersion,
    createdAtSeconds: Math.floor(creationTimestamp.getTime() / 1000),
    holder: spec.holderIdentity ?? '',
    leaseSeconds: spec.leaseDurationSeconds,
    transitions: spec.leaseTransitions ?? 0,
    acquiredAtMs: readTime(spec.acquireTime),
  };
}

/** Whatever its types say, the client hands the text on as it came. */
function readTime(time: Date | undefined): number | undefined {
  const atMs = time === undefined ? Number.NaN : new Date(time).getTime();
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** In one line, and without headers or bodies: `403: leases … is forbidden: User …`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  if ('code' in error && typeof error.code === 'number' && 'body' in error) {
    return `${error.code}: ${describeBody(error.body)}`;
  }
  // fetch says no more than that it failed; why, its cause says.
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** @param body - The text of a `Status`, or whatever a proxy in between has answered. */
function describeBody(body: unknown): string {
  let text: unknown;
  try {
    const status: unknown = JSON.parse(String(body));
    text =
      typeof status === 'object' && status !== null && 'message' in status
        ? status.message
        : undefined;
  } catch {
    // No JSON.
  }
  return typeof text === 'string' ? text.slice(0, 300) : 'without a message';
}

function unusable(what: string): ConfigError {
  return new ConfigError(
    `the API server for \`leadership: { driver: kubernetes }\` ${what}; run in a pod with a service account, or name a file in KUBECONFIG`,
  );
}
