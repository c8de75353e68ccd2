/** One HAProxy by its runtime socket. */

import type { Clock } from '../../control/clock.ts';
import { PreconditionError, UnreachableError } from '../../control/errors.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  LoadBalancer,
  ServerChange,
} from '../../control/ports.ts';
import { validateName } from '../haproxy/names.ts';
import { BackendMeter, type BackendReading, warnOfUnchecked } from '../haproxy/reports.ts';
import { RestoredChecks } from '../haproxy/restored-checks.ts';
import { parseServerStates } from '../haproxy/server-states.ts';
import { parseStats } from '../haproxy/stats.ts';
import { errorOf, numberSeverities, readErrors, splitAnswers } from './answers.ts';
import { isConverged, planChanges, type ServerOrder } from '../haproxy/changes.ts';
import { SerialQueue } from '../haproxy/serial-queue.ts';
import { ask, groupByLine } from './socket.ts';
import { removeLeftBehind, replaceStateFile } from './state-file.ts';
import { listWorkers, parseWorker, type Worker } from './workers.ts';

export interface RuntimeBalancerOptions {
  readonly name: string;
  /** The worker's `stats socket`, level admin. */
  readonly socketPath: string;
  /** The master's socket (`haproxy -W -S`); without it, old workers are taken to live `hardStopAfterMs`. */
  readonly masterSocketPath: string | undefined;
  /** HAProxy's `server-state-file`, in a folder where Rackfire may write. */
  readonly stateFilePath: string;
  /** HAProxy's `hard-stop-after`. */
  readonly hardStopAfterMs: number;
  /** The backends whose servers Rackfire may set. */
  readonly backends: readonly string[];
  readonly clock: Clock;
}

/** More waiting questions than this mean that HAProxy hangs: say so instead of asking still more. */
const waitingQuestions = 16;
/** Per line: three commands of at most 160 bytes each stay below a line's 8,000 bytes. */
const backendsPerLine = 15;

/** What HAProxy says at one moment. */
interface Reading {
  readonly worker: Worker;
  readonly oldWorkers: boolean;
  readonly backends: ReadonlyMap<string, BackendReading>;
  readonly warnings: readonly string[];
  readonly atMs: number;
}

/**
 * @returns A balancer that asks nothing until it is asked.
 * @throws ConfigError when a backend's name is not one of HAProxy's.
 */
export function createRuntimeBalancer(options: RuntimeBalancerOptions): LoadBalancer {
  for (const backend of options.backends) {
    validateName('backend', backend);
  }
  return new RuntimeBalancer(options);
}

/**
 * Questions and changes of one instance run one after the other. It touches no server that it was not told
 * to, and never trusts that a command worked: it reads the states back.
 *
 * A state file that cannot be written does not undo a change and does not fail it: the servers *are* in the
 * asked state, and an error would only have the change repeated in vain. It stands in each snapshot's
 * `warnings` instead, and each `setServers`, also one without changes, tries again. (The first one writes it
 * in any case.)
 */
class RuntimeBalancer implements LoadBalancer {
  readonly name: string;
  readonly #options: RuntimeBalancerOptions;
  readonly #queue = new SerialQueue(waitingQuestions);
  readonly #restored = new RestoredChecks();
  readonly #meters: ReadonlyMap<string, BackendMeter>;
  /** True at first: whoever ran before may have been killed between a change and its file. */
  #stateFileDue = true;
  #isTidied = false;
  #stateFileWarning: string | undefined;

  constructor(options: RuntimeBalancerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#meters = new Map(options.backends.map((backend) => [backend, new BackendMeter()]));
  }

  async inspect(signal: AbortSignal): Promise<BalancerSnapshot> {
    const reading = await this.#queue.run(signal, () => this.#read(this.#options.backends, signal));
    const { epoch } = reading.worker;
    const backends = new Map<string, BackendReport>();
    for (const [name, meter] of this.#meters) {
      const backend = reading.backends.get(name);
      if (backend !== undefined) {
        backends.set(name, meter.report(backend, epoch, reading.atMs));
      }
    }
    const warnings = [...reading.warnings];
    if (this.#stateFileWarning !== undefined) {
      warnings.push(this.#stateFileWarning);
    }
    return { epoch, oldWorkers: reading.oldWorkers, backends, warnings };
  }

  async setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void> {
    for (const change of changes) {
      validateName('backend', change.backend);
      validateName('server', change.server);
    }
    await this.#queue.run(signal, () => this.#setServers(changes, signal));
  }

  async #setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void> {
    const asked = new Set(changes.map((change) => change.backend));
    // A backend that was not handed over is not looked at, so its servers are unknown and refused.
    const backends = this.#options.backends.filter((backend) => asked.has(backend));
    if (changes.length === 0 && !this.#stateFileDue) {
      return;
    }
    const before = await this.#read(backends, signal);
    const { orders, refusals } = planChanges(changes, before.backends, before.oldWorkers);
    if (orders.length > 0) {
      // From here on the file is out of date until it is written, whatever happens in between.
      this.#stateFileDue = true;
      const errors = await this.#send(orders, signal);
      await this.#verify(orders, backends, errors, signal);
    }
    if (this.#stateFileDue) {
      await this.#refreshStateFile(signal);
    }
    if (refusals.length > 0) {
      throw new PreconditionError(`balancer ${this.name}: ${refusals.join('; ')}`);
    }
  }

  /** @returns HAProxy's errors, for the message if the states turn out not to be set. */
  async #send(orders: readonly ServerOrder[], signal: AbortSignal): Promise<readonly string[]> {
    const commands = orders.map(
      ({ backend, server, to }) => `set server ${backend}/${server} state ${to}`,
    );
    const errors: string[] = [];
    for (const group of groupByLine(commands, numberSeverities)) {
      const answer = await this.#ask([numberSeverities, ...group], signal);
      errors.push(...readErrors(answer, group.length));
    }
    return errors;
  }

  async #verify(
    orders: readonly ServerOrder[],
    backends: readonly string[],
    errors: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const after = await this.#read(backends, signal);
    const missed = orders.filter((order) => !isConverged(order, after.backends));
    if (missed.length > 0) {
      const names = missed.map(({ backend, server, to }) => `${backend}/${server} to ${to}`);
      throw new UnreachableError(
        `balancer ${this.name} did not set ${names.join(', ')}${errors.length > 0 ? `: ${errors.join(' ')}` : ', or was reloaded meanwhile'}`,
      );
    }
  }

  /** The file holds the servers of *all* backends: HAProxy has only one. */
  async #refreshStateFile(signal: AbortSignal): Promise<void> {
    const path = this.#options.stateFilePath;
    const answer = await this.#ask([numberSeverities, 'show servers state'], signal);
    const [table = ''] = splitAnswers(answer, 1);
    parseServerStates(table);
    if (!this.#isTidied) {
      this.#isTidied = true;
      await removeLeftBehind(path);
    }
    try {
      await replaceStateFile(path, `${table}\n`);
      this.#stateFileDue = false;
      this.#stateFileWarning = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#stateFileWarning = `the server-state-file cannot be written, so a reload of HAProxy would undo the last changes: ${why}`;
    }
  }

  async #read(names: readonly string[], signal: AbortSignal): Promise<Reading> {
    const workers = this.#currentWorkers(signal);
    const backends = new Map<string, BackendReading>();
    let worker: Worker | undefined;
    // One line, unless there are more backends than a line holds.
    for (let first = 0; first === 0 || first < names.length; first += backendsPerLine) {
      const some = names.slice(first, first + backendsPerLine);
      const answer = await this.#readLine(some, signal);
      if (worker !== undefined && worker.epoch !== answer.worker.epoch) {
        throw new UnreachableError(`balancer ${this.name} was reloaded while it was asked`);
      }
      worker = answer.worker;
      for (const [name, backend] of answer.backends) {
        backends.set(name, backend);
      }
    }
    const atMs = this.#options.clock.steadyMs();
    if (worker === undefined) {
      throw new UnreachableError(`balancer ${this.name} was not asked`);
    }
    const { oldWorkers, warning } = this.#hasOldWorkers(worker, await workers);
    const warnings = [...(warning === undefined ? [] : [warning]), ...warnOfUnchecked(backends)];
    return { worker, oldWorkers, backends, warnings, atMs };
  }

  async #readLine(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<{ worker: Worker; backends: ReadonlyMap<string, BackendReading> }> {
    const questions = names.flatMap((name) => [
      `show stat ${name} 6 -1`,
      `show servers state ${name}`,
    ]);
    const answer = await this.#ask([numberSeverities, 'show info', ...questions], signal);
    const [info = '', ...tables] = splitAnswers(answer, 1 + questions.length);
    const worker = parseWorker(info);

    const backends = new Map<string, BackendReading>();
    for (const [index, name] of names.entries()) {
      const statTable = tables[2 * index] ?? '';
      const stateTable = tables[2 * index + 1] ?? '';
      // A backend that HAProxy does not have is missing from the snapshot; that is an answer, too.
      if (errorOf(statTable) !== 'No such proxy.' && errorOf(stateTable) === undefined) {
        const stats = parseStats(statTable).get(name);
        const states = parseServerStates(stateTable).get(name);
        if (stats !== undefined) {
          const restored = this.#restored.note(worker, name, stats);
          backends.set(name, { stats, states: states ?? new Map(), restored });
        }
      }
    }
    return { worker, backends };
  }

  /** Never rejects: without an answer of the master, old workers are taken to be there. */
  async #currentWorkers(signal: AbortSignal): Promise<MasterAnswer> {
    const { masterSocketPath } = this.#options;
    if (masterSocketPath === undefined) {
      return { asked: false };
    }
    try {
      return { asked: true, ...(await listWorkers(masterSocketPath, signal)) };
    } catch (error) {
      return { asked: true, why: error instanceof Error ? error.message : String(error) };
    }
  }

  #hasOldWorkers(
    worker: Worker,
    master: MasterAnswer,
  ): { readonly oldWorkers: boolean; readonly warning?: string } {
    if (!master.asked) {
      return { oldWorkers: worker.uptimeMs < this.#options.hardStopAfterMs };
    }
    if ('why' in master) {
      return {
        oldWorkers: true,
        warning: `old workers cannot be told, so nothing is destroyed: ${master.why}`,
      };
    }
    // Master and worker were asked at the same time: if they disagree, a reload came in between.
    const agreed = master.currentPids.length === 1 && master.currentPids[0] === worker.pid;
    return { oldWorkers: !agreed || master.oldPids.length > 0 };
  }

  async #ask(commands: readonly string[], signal: AbortSignal): Promise<string> {
    return await ask(this.#options.socketPath, commands, signal);
  }
}

type MasterAnswer =
  | { readonly asked: false }
  | { readonly asked: true; readonly why: string }
  | {
      readonly asked: true;
      readonly currentPids: readonly number[];
      readonly oldPids: readonly number[];
    };
