/** The configuration, its version, and the transactions that change it. */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ApiError } from './api-error.ts';
import { replaceFile } from './disk.ts';
import type { Faults } from './faults.ts';
import { HaproxyFile, hasOwnChecksum } from './haproxy-file.ts';

export interface ConfigurationOptions {
  readonly configPath: string;
  readonly transactionFolder: string;
  readonly maxOpenTransactions: number;
  readonly faults: Faults;
}

/** Which one to change: the file itself as of a version, or a transaction. Exactly one must be said. */
export interface Edition {
  readonly version: number | undefined;
  readonly transactionId: string | undefined;
}

export interface TransactionAnswer {
  readonly _version?: number;
  readonly id: string;
  readonly status: string;
}

/**
 * An edit by version is a transaction of one edit, so both go the same way:
 *
 * ```
 *             edit            commit
 *  (absent) ───────▶ in_progress ───────▶ success (and gone; all others of its version become outdated)
 *                        │  version moved ──▶ outdated ┐
 *                        └─ haproxy -c refuses ▶ failed ┴─ delete ─▶ (absent)
 * ```
 */
export class Configuration {
  #current = HaproxyFile.parse('');
  readonly #open = new Map<string, HaproxyFile>();
  readonly #options: ConfigurationOptions;
  #lastCommit: Promise<unknown> = Promise.resolve();
  #watcher: FSWatcher | undefined;

  private constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  /** Reads the file and what a former daemon left in the transaction folder, and writes the file in its own way. */
  static async open(options: ConfigurationOptions): Promise<Configuration> {
    const configuration = new Configuration(options);
    await configuration.#load();
    return configuration;
  }

  get version(): number {
    return this.#current.version;
  }

  /** @throws ApiError 400 when there is no such open transaction. */
  read(transactionId: string | undefined): HaproxyFile {
    if (transactionId === undefined) {
      return this.#current;
    }
    const file = this.#open.get(transactionId);
    if (file === undefined) {
      throw new ApiError(400, `transaction does not exist: ${transactionId}`);
    }
    return file;
  }

  /** @throws ApiError 409 when the version is not the present one, 429 when too many are open. */
  async startTransaction(version: number): Promise<TransactionAnswer> {
    const limit = this.#options.maxOpenTransactions;
    if (this.#open.size >= limit) {
      throw new ApiError(
        429,
        `cannot start a new transaction, reached the maximum amount of ${limit} active transactions available`,
      );
    }
    return describe(await this.#start(version), version, 'in_progress');
  }

  async listTransactions(status: string | undefined): Promise<readonly TransactionAnswer[]> {
    const open = [...this.#open].map(([id, file]) => describe(id, file.version, 'in_progress'));
    const closed = await Promise.all(
      (['failed', 'outdated'] as const).map(async (one) => {
        const names = await readdir(join(this.#options.transactionFolder, one));
        return names.map((name) => describe(name.slice(name.lastIndexOf('.') + 1), undefined, one));
      }),
    );
    return [...open, ...closed.flat()].filter(
      (one) => status === undefined || one.status === status,
    );
  }

  /** @throws ApiError 404 */
  async findTransaction(id: string): Promise<TransactionAnswer> {
    const open = this.#open.get(id);
    if (open !== undefined) {
      return describe(id, open.version, 'in_progress');
    }
    for (const status of ['outdated', 'failed'] as const) {
      if (await exists(this.#transactionPath(id, status))) {
        return describe(id, undefined, status);
      }
    }
    throw new ApiError(404, `transaction does not exist: transaction ${id} does not exist`);
  }

  /** @throws ApiError 404 */
  async deleteTransaction(id: string): Promise<void> {
    for (const path of this.#transactionPaths(id)) {
      if (await exists(path)) {
        await rm(path);
        this.#open.delete(id);
        return;
      }
    }
    throw new ApiError(404, `transaction does not exist: transaction file ${id} does not exist`);
  }

  /**
   * Puts a transaction in force.
   *
   * @throws ApiError 404 when it is not there, 406 when it has failed or is outdated, 409 when the version has
   * moved meanwhile, 400 when HAProxy refuses the file, 500 when the disk is full.
   */
  async commitTransaction(id: string): Promise<TransactionAnswer> {
    const { status } = await this.findTransaction(id);
    if (status !== 'in_progress') {
      throw new ApiError(406, `transaction ${id} is ${status} and cannot be committed`);
    }
    const version = await this.#alone(() => this.#commit(id));
    for (const [otherId, other] of this.#open) {
      if (other.version <= version) {
        await this.#close(otherId, 'outdated');
      }
    }
    return describe(id, version, 'success');
  }

  /**
   * Changes a transaction, or the file as of a version.
   *
   * @throws ApiError 400 when both or neither are said or HAProxy refuses the file, 409 when the version is not the
   * present one, and what `change` throws; nothing is changed then.
   */
  async edit(edition: Edition, change: (file: HaproxyFile) => void): Promise<void> {
    const { version, transactionId } = edition;
    if (version !== undefined && transactionId !== undefined) {
      throw new ApiError(400, 'both version and transaction specified, specify only one');
    }
    if (transactionId !== undefined) {
      const file = this.read(transactionId);
      change(file);
      await this.#save(this.#transactionPath(transactionId), file);
      return;
    }
    if (version === undefined) {
      throw new ApiError(
        400,
        'version or transaction not specified: version or transaction not specified, specify only one',
      );
    }
    const id = await this.#start(version);
    try {
      change(this.read(id));
      await this.#save(this.#transactionPath(id), this.read(id));
    } catch (error) {
      await this.deleteTransaction(id);
      throw error;
    }
    await this.#alone(() => this.#commit(id));
  }

  /** Puts a text in the file's place, as a reload that failed does with the last good one. */
  async restore(text: string): Promise<void> {
    await replaceFile(this.#options.configPath, text, this.#options.faults);
    this.#current = HaproxyFile.parse(text);
  }

  close(): void {
    this.#watcher?.close();
  }

  async #load(): Promise<void> {
    const { configPath, transactionFolder } = this.#options;
    for (const status of ['failed', 'outdated']) {
      await mkdir(join(transactionFolder, status), { recursive: true });
    }
    for (const entry of await readdir(transactionFolder, { withFileTypes: true })) {
      if (entry.isFile() && entry.name.startsWith(basename(configPath))) {
        const text = await readFile(join(transactionFolder, entry.name), 'utf8');
        this.#open.set(entry.name.slice(basename(configPath).length + 1), HaproxyFile.parse(text));
      }
    }
    this.#current = HaproxyFile.parse(await readFile(configPath, 'utf8'));
    await this.#save(configPath, this.#current);
    this.#watcher = watch(dirname(configPath), (_event, name) => {
      if (name === basename(configPath)) {
        void this.#alone(() => this.#adoptForeignEdit());
      }
    });
  }

  /** Somebody else wrote the file: it is read again and written with the next version. */
  async #adoptForeignEdit(): Promise<void> {
    const { configPath, faults } = this.#options;
    // An editor that removes or empties the file before it writes it anew is looked at again when it has.
    const text = await readFile(configPath, 'utf8').catch(() => '');
    if (text === '' || hasOwnChecksum(text) || faults.diskIsFull) {
      return;
    }
    this.#current = HaproxyFile.parse(text);
    this.#current.version += 1;
    await this.#save(configPath, this.#current);
  }

  async #start(version: number): Promise<string> {
    if (version !== this.version) {
      throw new ApiError(
        409,
        `version mismatch: version in configuration file is ${this.version}, given version is ${version}`,
      );
    }
    const id = randomUUID();
    const file = this.#current.copy();
    await this.#save(this.#transactionPath(id), file);
    this.#open.set(id, file);
    return id;
  }

  /** One commit at a time, and no foreign edit is read meanwhile. */
  async #alone<T>(job: () => Promise<T>): Promise<T> {
    const turn = this.#lastCommit.then(job);
    this.#lastCommit = turn.catch(() => undefined);
    return await turn;
  }

  /** The version is looked at once more: another commit may have been before. */
  async #commit(id: string): Promise<number> {
    const file = this.read(id);
    const { version } = file;
    if (version !== this.version) {
      await this.#close(id, 'outdated');
      throw new ApiError(
        409,
        `version mismatch: version mismatch, transaction version: ${version}, configured version: ${this.version}`,
      );
    }
    try {
      const next = file.copy();
      next.version += 1;
      await this.#save(this.#transactionPath(id), file);
      await checkFile(this.#transactionPath(id), id);
      await this.#save(this.#options.configPath, next);
      this.#current = next;
    } catch (error) {
      await this.#close(id, 'failed');
      throw error;
    }
    await this.deleteTransaction(id);
    return version;
  }

  async #close(id: string, status: 'failed' | 'outdated'): Promise<void> {
    this.#open.delete(id);
    await rename(this.#transactionPath(id), this.#transactionPath(id, status));
  }

  async #save(path: string, file: HaproxyFile): Promise<void> {
    await replaceFile(path, file.render(), this.#options.faults);
  }

  #transactionPath(id: string, status = ''): string {
    const { configPath, transactionFolder } = this.#options;
    // An id comes from a request's path: it must not lead out of the folder.
    return join(transactionFolder, status, basename(`${basename(configPath)}.${id}`));
  }

  #transactionPaths(id: string): readonly string[] {
    return ['outdated', 'failed', ''].map((status) => this.#transactionPath(id, status));
  }
}

function describe(id: string, version: number | undefined, status: string): TransactionAnswer {
  return { ...(version === undefined ? {} : { _version: version }), id, status };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** @throws ApiError 400 with the alerts of `haproxy -c`, in the daemon's words. */
async function checkFile(path: string, transactionId: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile('haproxy', ['-c', '-f', path], (error, _stdout, stderr) => {
    if (error === null) {
      resolve();
      return;
    }
    const alerts = stderr
      .split('\n')
      .filter((line) => line.startsWith('[ALERT]'))
      .map((line) => `msg="${line.split(' : ').slice(1).join(' ').trim()}"`);
    const message = [`err transactionId=${transactionId} `, ...alerts].join('\n');
    reject(new ApiError(400, `validation error: exit status ${error.code ?? 1}: ${message}`));
  });
  await promise;
}
