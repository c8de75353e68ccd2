import type { Clock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import { type CommandKind, CommandSlots } from './command-slots.ts';
import { ConnectFailure } from './connect-failure.ts';
import { readHostKeyCheck } from './host-key-check.ts';
import { readKeyFile } from './key-file.ts';
import { printable } from './printable.ts';
import { type CommandAnswer, SshSession } from './ssh-session.ts';

/** Where a host's sshd is, and who is who. */
export interface SshSettings {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The private key, without passphrase, readable by its owner alone. */
  readonly keyFile: string;
  /** OpenSSH's known_hosts with the host's key. */
  readonly knownHostsFile: string;
}

export interface SshConnectionOptions extends SshSettings {
  readonly host: string;
  readonly clock: Clock;
  /** 5 s by default. */
  readonly keepAliveIntervalMs?: number;
}

/** How a command is sent. */
export interface CommandTerms {
  readonly kind: CommandKind;
  /** From the moment when it is handed over, its turn and the connection included. */
  readonly withinMs: number;
}

const KEEP_ALIVE_INTERVAL_MS = 5_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * One SSH connection to one host, made when the first command needs it.
 *
 * ```
 *            run                    ready                  lost, answered before
 *   (idle) ───────▶ connecting ──────────────▶ open ────────────────────────────▶ (idle)
 *     ▲                 │ failed                 │ lost, never answered
 *     │ run, when it    ▼                        ▼
 *     └──────────── pausing: 1 s, doubling to 30 s, and back to 1 s after an answer
 * ```
 *
 * - While it pauses, commands are refused at once with why it failed. No timer runs: the next command after the
 *   pause tries again.
 * - Connecting goes on when the command that began it is given up, so a host that needs longer for a handshake
 *   than for an answer is reached by the next one.
 * - When this process ends, nothing is left to do: sshd ends the connection, and what runs there runs on.
 */
export class SshConnection {
  readonly #options: SshConnectionOptions;
  readonly #slots: CommandSlots;
  #session: SshSession | undefined;
  #connecting: Promise<SshSession> | undefined;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #lastFailure: ConnectFailure | undefined;
  readonly #closing = new AbortController();

  constructor(options: SshConnectionOptions) {
    this.#options = options;
    this.#slots = new CommandSlots(options.host);
  }

  /**
   * Runs one command when it is its turn. A command that is given up, by `signal` or by its time, may run on there.
   *
   * @throws ConnectFailure, UnreachableError when nothing was sent, and for a question whose answer was lost.
   * @throws OutcomeUnknownError for an order whose answer was lost.
   */
  async run(command: string, terms: CommandTerms, signal: AbortSignal): Promise<CommandAnswer> {
    const { kind, withinMs } = terms;
    const timer = new AbortController();
    const late = new AbortController();
    this.#options.clock.sleep(withinMs, timer.signal).then(
      () => late.abort(new Error(`not within ${withinMs} ms`)),
      () => undefined,
    );
    const until = AbortSignal.any([signal, late.signal]);
    try {
      const endTurn = await this.#slots.take(kind, until);
      try {
        const session = await this.#connected(until);
        return await session.exec(command, kind, until);
      } finally {
        endTurn();
      }
    } finally {
      timer.abort();
    }
  }

  /** Ends the connection at once and for good; what is under way is lost. */
  close(): void {
    this.#closing.abort();
    this.#session?.destroy();
  }

  async #connected(signal: AbortSignal): Promise<SshSession> {
    const { host, clock } = this.#options;
    if (this.#closing.signal.aborted) {
      throw new UnreachableError(`${host} was not asked: its connection is closed`);
    }
    if (this.#session?.isOpen === true) {
      return this.#session;
    }
    if (this.#connecting === undefined) {
      const pauseMs = this.#notBeforeMs - clock.steadyMs();
      if (pauseMs > 0 && this.#lastFailure !== undefined) {
        const { step, text, fix } = this.#lastFailure;
        const seconds = Math.ceil(pauseMs / 1_000);
        throw new ConnectFailure(step, `${text} – tried again in ${seconds} s`, fix);
      }
      this.#connecting = this.#connect().finally(() => {
        this.#connecting = undefined;
      });
    }
    return unlessAborted(this.#connecting, signal, this.#options);
  }

  async #connect(): Promise<SshSession> {
    const { host, address, port, user, keyFile, knownHostsFile } = this.#options;
    try {
      const session = await SshSession.open(
        {
          host,
          address,
          port,
          user,
          keyFile,
          privateKey: await readKeyFile(host, keyFile),
          hostKeyCheck: await readHostKeyCheck({ host, address, port, knownHostsFile }),
          keepAliveIntervalMs: this.#options.keepAliveIntervalMs ?? KEEP_ALIVE_INTERVAL_MS,
          closing: this.#closing.signal,
        },
        (ended, why) => this.#onEnd(ended, why),
      );
      if (this.#closing.signal.aborted) {
        session.destroy();
        throw new UnreachableError(`${host} was not asked: its connection is closed`);
      }
      this.#session = session;
      return session;
    } catch (error) {
      if (error instanceof ConnectFailure) {
        this.#pause(error);
      }
      throw error;
    }
  }

  /** A connection that was of use is made anew at once, one that never was only after a pause. */
  #onEnd(session: SshSession, why: string): void {
    if (this.#session === session) {
      this.#session = undefined;
    }
    if (session.hasAnswered) {
      this.#failures = 0;
      return;
    }
    const text = `${this.#options.host}: the connection was lost before any answer (${printable(why)})`;
    this.#pause(new ConnectFailure('network', text, 'look at the log of sshd there'));
  }

  #pause(failure: ConnectFailure): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#lastFailure = failure;
    this.#notBeforeMs = this.#options.clock.steadyMs() + pauseMs;
  }
}

/** Waits for the connection; what is given up meanwhile was not sent. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  { host, address, port }: SshConnectionOptions,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void =>
    aborted.reject(
      new ConnectFailure(
        'network',
        `${host}: still no SSH connection to ${address}:${port} when it was given up`,
        'is the host up, and is it very busy?',
      ),
    );
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) {
      onAbort();
    }
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
