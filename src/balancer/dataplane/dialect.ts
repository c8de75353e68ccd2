/** Where the two APIs differ: paths, and what is wrapped around an answer. */

import type { ConfiguredServer, NativeStat, ProcessState } from './types.ts';

export interface Target {
  /** Behind the host, from `/v2` or `/v3` on. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

export interface Dialect {
  readonly base: '/v2' | '/v3';
  /** Whether the configuration file comes within JSON, or as it is. */
  readonly isRawJson: boolean;
  readonly configuredServers: (backend: string) => Target;
  readonly configuredServer: (backend: string, server: string) => Target;
  readonly runtimeServers: (backend: string) => Target;
  readonly runtimeServer: (backend: string, server: string) => Target;
  /** These are `undefined` when the answer has not what it should have. */
  readonly readConfiguredServers: (body: unknown) => readonly ConfiguredServer[] | undefined;
  readonly readProcess: (body: unknown) => ProcessState | undefined;
  readonly readStats: (body: unknown) => readonly NativeStat[] | undefined;
}

/** Fills the parameters into a path of the description. */
export function fill(template: string, parameters: Readonly<Record<string, string>> = {}): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(parameters[name] ?? ''),
  );
}

/** Takes an answer for what the description says that it is. Whoever uses a part of it looks at that part. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the operation's type
export function described<Body>(body: unknown): Body | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where the description is believed
  return typeof body === 'object' && body !== null ? (body as Body) : undefined;
}

export function listOf<T>(value: readonly T[] | undefined): readonly T[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
