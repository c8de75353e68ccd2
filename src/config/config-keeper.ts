/** The config of a running service: looked at again when its file changes, and the last good one stays. */

import type { Clock } from '../control/clock.ts';
import { listEffective } from './effective.ts';
import { type LoadedConfig, parseConfig, readConfigText } from './load-config.ts';
import { InvalidConfigError, type Problem } from './problems.ts';

/** A value in force that a reload changed. `undefined`: it is new, or gone. */
export interface ConfigChange {
  readonly path: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export type ReloadResult =
  | { readonly outcome: 'unchanged' }
  | {
      readonly outcome: 'applied';
      readonly changes: readonly ConfigChange[];
      /** Of these, the paths that take effect when the service is started again. */
      readonly atNextStart: readonly string[];
    }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

/** Why the file as it stands now is not in force. Nothing of it is. */
export interface Refusal {
  readonly atMs: number;
  readonly message: string;
  /** Empty when the file could not be read at all. */
  readonly problems: readonly Problem[];
}

interface ConfigKeeperOptions {
  readonly file: string;
  readonly loaded: LoadedConfig;
  /** Puts a config in force. What it throws refuses the config. */
  readonly apply: (loaded: LoadedConfig) => void;
  /** Sees the result of each reload, whoever asked for it. */
  readonly onReload: (result: ReloadResult) => void;
  readonly clock: Clock;
}

/** Often enough that nobody waits, seldom enough to cost nothing. Also works for links that are switched. */
const LOOK_INTERVAL_MS = 1_000;

/** What a running service cannot exchange: its listening socket, its lock, its journal. */
const AT_NEXT_START = /^(?:http\.listen$|leadership\.|journal\.)/;

export class ConfigKeeper {
  readonly #options: ConfigKeeperOptions;
  #current: LoadedConfig;
  #loadedAtMs: number;
  #refusal: Refusal | undefined;
  /** What has been considered already, so that a bad file is said once. */
  #seen: string | undefined;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
    this.#current = options.loaded;
    this.#loadedAtMs = options.clock.wallMs();
  }

  /** The last good one. */
  get current(): LoadedConfig {
    return this.#current;
  }

  /** Wall clock. */
  get loadedAtMs(): number {
    return this.#loadedAtMs;
  }

  /** Undefined while the file is what is in force. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Reads the file and puts it in force, whole or not at all. */
  async reload(): Promise<ReloadResult> {
    return this.#consider(await look(this.#options.file));
  }

  /** Looks at the file until the signal is aborted; a change that lasts from one look to the next is taken. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock, file } = this.#options;
    let before: string | undefined;
    while (!signal.aborted) {
      const seen = await look(file);
      // One that is still being written looks different the next time. Not read again: by now it may be.
      if (seen.content !== this.#seen && seen.content === before) {
        this.#consider(seen);
      }
      before = seen.content;
      await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  #consider(seen: Look): ReloadResult {
    this.#seen = seen.content;
    let result: ReloadResult;
    try {
      result = seen.error === undefined ? this.#take(seen.content) : this.#refuse(seen.error);
    } catch (error) {
      result = this.#refuse(error);
    }
    this.#options.onReload(result);
    return result;
  }

  #take(text: string): ReloadResult {
    const { apply, clock, file } = this.#options;
    const next = parseConfig(text, file);
    refuseOtherInstallation(this.#current, next);
    const changes = compareConfigs(this.#current, next);
    if (changes.length > 0) {
      apply(next);
      this.#loadedAtMs = clock.wallMs();
    }
    this.#current = next;
    this.#refusal = undefined;
    if (changes.length === 0) {
      return { outcome: 'unchanged' };
    }
    const atNextStart = changes.map(({ path }) => path).filter((path) => AT_NEXT_START.test(path));
    return { outcome: 'applied', changes, atNextStart };
  }

  /** Also of what nobody foresaw: whatever is wrong with a file, the service goes on as it was. */
  #refuse(error: unknown): ReloadResult {
    const message = error instanceof Error ? error.message : String(error);
    const problems = error instanceof InvalidConfigError ? error.problems : [];
    this.#refusal = { atMs: this.#options.clock.wallMs(), message, problems };
    return { outcome: 'refused', refusal: this.#refusal };
  }
}

/** What a file says, or why it cannot be read; as long as `content` is the same, nothing has changed. */
interface Look {
  readonly content: string;
  readonly error?: unknown;
}

async function look(file: string): Promise<Look> {
  try {
    return { content: await readConfigText(file) };
  } catch (error) {
    return { content: String(error), error };
  }
}

/** Every node would be taken for a stranger's, and none of them would ever be let go. */
export function refuseOtherInstallation(current: LoadedConfig, next: LoadedConfig): void {
  const { installation } = current.config;
  if (next.config.installation !== installation) {
    const { line, column } = next.source.locate(['installation'], 'value');
    const message =
      `must stay \`${installation}\` while the service runs: it is part of the identity of every node. ` +
      'Another installation is another service';
    const { file } = next.source;
    throw new InvalidConfigError([{ file, line, column, path: 'installation', message }]);
  }
}

/** Every value in force that differs, in the order of the vocabulary. */
export function compareConfigs(from: LoadedConfig, to: LoadedConfig): readonly ConfigChange[] {
  const before = valuesByPath(from);
  const after = valuesByPath(to);
  const changes: ConfigChange[] = [];
  for (const [path, value] of after) {
    if (before.get(path) !== value && !isEmptied(path, after, before)) {
      changes.push({ path, from: before.get(path), to: value });
    }
  }
  for (const [path, value] of before) {
    if (!after.has(path) && !isEmptied(path, before, after)) {
      changes.push({ path, from: value, to: undefined });
    }
  }
  return changes;
}

/** A list that is empty here and not there: its entries tell the change, and `none` would read as if it were another. */
function isEmptied(
  path: string,
  here: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
): boolean {
  return here.get(path) === 'none' && [...there.keys()].some((key) => key.startsWith(`${path}[`));
}

/** `clusters.news.tiers.web.nodes.max: 12 → 16` */
export function describeChange({ path, from, to }: ConfigChange): string {
  return `${path}: ${from ?? 'not there'} → ${to ?? 'not there'}`;
}

/** Clusters, hosts and balancers go by their names, so that one more at the top does not change all below it. */
function valuesByPath(loaded: LoadedConfig): ReadonlyMap<string, string> {
  const { clusters, hosts, balancers } = loaded.written;
  const lists = { clusters, hosts, balancers };
  return new Map(
    listEffective(loaded).map(({ path, value }) => {
      const named = path.replace(
        /^(clusters|hosts|balancers)\[([0-9]+)\]/,
        (_, list: keyof typeof lists, index: string) =>
          `${list}.${lists[list][Number(index)]?.name}`,
      );
      return [named, value] as const;
    }),
  );
}
