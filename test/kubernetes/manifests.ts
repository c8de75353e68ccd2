/** The manifests that operators apply, on the real API server. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { ApiServer } from './api-server.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

const FILE = fileURLToPath(new URL('../../config/kubernetes/rackfire.yaml', import.meta.url));
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  PodDisruptionBudget: 'poddisruptionbudgets',
  Deployment: 'deployments',
  Pod: 'pods',
};

export async function readManifests(): Promise<readonly Manifest[]> {
  return parseAllDocuments(await readFile(FILE, 'utf8')).map(
    (document) => document.toJS({ maxAliasCount: 10 }) as Manifest,
  );
}

/** @throws Error with what the API server has against a manifest; a key that it does not know is enough. */
export async function applyManifests(api: ApiServer): Promise<void> {
  for (const manifest of await readManifests()) {
    const { code, body } = await api.ask('PATCH', `${pathOf(manifest)}?${APPLY}`, {
      body: manifest,
      type: 'application/apply-patch+yaml',
    });
    if (code !== 200 && code !== 201) {
      throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${JSON.stringify(body)}`);
    }
  }
}

/** As `kubectl apply --server-side` does. JSON is YAML. */
const APPLY = 'fieldManager=test&force=true&fieldValidation=Strict';

export function pathOf(manifest: Manifest): string {
  return `${collectionOf(manifest)}/${manifest.metadata.name}`;
}

export function collectionOf({ apiVersion, kind, metadata: { namespace } }: Manifest): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${group}${place}/${PLURALS[kind] ?? kind}`;
}
