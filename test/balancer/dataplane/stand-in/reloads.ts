/** Reloads of HAProxy: many changes, one reload. */

import { readFile } from 'node:fs/promises';
import { ApiError } from './api-error.ts';
import type { Configuration } from './configuration.ts';
import type { Faults } from './faults.ts';

export interface ReloadsOptions {
  /** The daemon asks this often whether one is wanted, so two are never closer. */
  readonly delayMs: number;
  readonly configPath: string;
  readonly configuration: Configuration;
  readonly masterPid: () => number;
  readonly faults: Faults;
}

/** As the API answers it. One that waits has no id and no time. */
export interface ReloadAnswer {
  readonly id?: string;
  readonly status: 'in_progress' | 'succeeded' | 'failed';
  readonly response?: string;
  readonly reload_timestamp?: number;
}

/**
 * A wanted reload waits for the next tick; whoever wants one until then gets the same id. The command is a signal
 * to HAProxy's master, so a reload has *succeeded* when the signal is sent, which is before the new worker answers.
 */
export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #ticker: NodeJS.Timeout;
  readonly #failed = new Map<string, ReloadAnswer>();
  #lastSuccess: (ReloadAnswer & { readonly id: string }) | undefined;
  #wanted: string | undefined;
  #count = 0;
  #lastGood: string;

  private constructor(options: ReloadsOptions, lastGood: string) {
    this.#options = options;
    this.#lastGood = lastGood;
    this.#ticker = setInterval(() => void this.#tick(), options.delayMs);
  }

  /** The file is taken for good as it is. */
  static async open(options: ReloadsOptions): Promise<Reloads> {
    return new Reloads(options, await readFile(options.configPath, 'utf8'));
  }

  /** @returns The id under which the reload can be asked for. */
  want(): string {
    if (this.#wanted === undefined) {
      this.#wanted = `${new Date().toISOString().slice(0, 10)}-${this.#count}`;
      this.#count += 1;
    }
    return this.#wanted;
  }

  /** @throws ApiError 400 when it fails. */
  async force(): Promise<void> {
    const answer = await this.#reload(this.#wanted ?? 'force');
    this.#wanted = undefined;
    if (answer.status === 'failed') {
      throw new ApiError(400, `Reload failed: ${answer.response ?? ''}`);
    }
  }

  list(): readonly ReloadAnswer[] {
    return [
      ...this.#failed.values(),
      ...(this.#lastSuccess === undefined ? [] : [this.#lastSuccess]),
      ...(this.#wanted === undefined ? [] : [{ id: this.#wanted, status: 'in_progress' as const }]),
    ];
  }

  /** Only failed ones and the last success are kept; what is older than that one has succeeded, too. */
  find(id: string): ReloadAnswer | undefined {
    if (id === this.#wanted) {
      return { status: 'in_progress' };
    }
    const kept = this.#failed.get(id) ?? this.#lastSuccess;
    if (kept === undefined || kept.id === id) {
      return kept;
    }
    return numberOf(id) < numberOf(kept.id ?? '') ? { id, status: 'succeeded' } : undefined;
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  async #tick(): Promise<void> {
    const id = this.#wanted;
    if (id !== undefined) {
      const answer = await this.#reload(id);
      this.#wanted = undefined;
      if (answer.status === 'failed') {
        this.#failed.set(id, answer);
      } else {
        this.#lastSuccess = answer;
      }
    }
  }

  async #reload(id: string): Promise<ReloadAnswer & { readonly id: string }> {
    const { configPath, configuration, masterPid, faults } = this.#options;
    const done = { id, reload_timestamp: Math.floor(Date.now() / 1_000) };
    try {
      if (faults.reloadFailsWith !== undefined) {
        throw new Error(faults.reloadFailsWith);
      }
      process.kill(masterPid(), 'SIGUSR2');
    } catch (error) {
      await configuration.restore(this.#lastGood);
      const response = error instanceof Error ? error.message : String(error);
      return { ...done, status: 'failed', response };
    }
    this.#lastGood = await readFile(configPath, 'utf8');
    return { ...done, status: 'succeeded' };
  }
}

function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}
