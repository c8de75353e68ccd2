import { NodeSSH } from 'node-ssh';
import { OutcomeUnknownError, UnreachableError } from '../control/errors.ts';
import type { CommandKind } from './command-slots.ts';
import { ConnectFailure, errorCodeOf } from './connect-failure.ts';
import { type HostKeyCheck, serverHostKeyAlgorithms } from './host-key-check.ts';
import { printable } from './printable.ts';

/** What a command answered, and how it ended. */
export interface CommandAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SessionOptions {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Where the private key was read; for messages. */
  readonly keyFile: string;
  readonly privateKey: string;
  readonly hostKeyCheck: HostKeyCheck;
  /** A silent peer is asked for a sign of life so often; three that are missed end the connection. */
  readonly keepAliveIntervalMs: number;
  /** Aborted, it ends the handshake. */
  readonly closing: AbortSignal;
}

/** A dom0 whose cores are taken needs seconds for a handshake: an emulated one was seen to take ten. */
const CONNECT_WITHIN_MS = 25_000;
/** 200 guests are about 400 KiB. */
const LARGEST_ANSWER_BYTES = 4 * 1024 * 1024;
/** What is said of a host name that leads nowhere. */
const NAME_ERRORS: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** One connection, from its handshake to its end; it never comes back. */
export class SshSession {
  readonly #host: string;
  readonly #ssh: NodeSSH;
  #answered = false;
  /** Why it has ended; `undefined` while it has not. */
  #why: string | undefined;
  #onClose: ((session: SshSession, why: string) => void) | undefined;

  /**
   * @param onClose - Called once, when a session that had been opened ends, with why.
   * @throws ConnectFailure
   */
  static async open(
    options: SessionOptions,
    onClose: (session: SshSession, why: string) => void,
  ): Promise<SshSession> {
    const ssh = new NodeSSH();
    const { hostKeyCheck } = options;
    const opening = ssh.connect({
      host: options.address,
      port: options.port,
      username: options.user,
      privateKey: options.privateKey,
      readyTimeout: CONNECT_WITHIN_MS,
      keepaliveInterval: options.keepAliveIntervalMs,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: serverHostKeyAlgorithms(hostKeyCheck) },
      hostVerifier: (key: Buffer) => hostKeyCheck.accept(key),
    });
    // node-ssh stops listening for errors once it is connected; one nobody listens to would end the process.
    const client = ssh.connection;
    // A command is a few small packets; held back for acknowledgments they would take 40 ms each.
    client?.setNoDelay(true);
    const session = new SshSession(options.host, ssh);
    client?.on('error', (error) => {
      session.#end(error.message);
      client.destroy();
    });
    client?.on('close', () => session.#end('closed by the host'));
    const giveUp = (): void => session.destroy();
    options.closing.addEventListener('abort', giveUp, { once: true });
    try {
      await opening;
    } catch (error) {
      client?.destroy();
      throw describeFailure(options, error);
    } finally {
      options.closing.removeEventListener('abort', giveUp);
    }
    session.#onClose = onClose;
    return session;
  }

  private constructor(host: string, ssh: NodeSSH) {
    this.#host = host;
    this.#ssh = ssh;
  }

  get isOpen(): boolean {
    return this.#why === undefined && this.#ssh.isConnected();
  }

  /** True once a command was answered: then the connection was a good one. */
  get hasAnswered(): boolean {
    return this.#answered;
  }

  /**
   * Runs one command; standard input is empty.
   *
   * @throws UnreachableError when nothing was sent, and for a question whose answer was lost.
   * @throws OutcomeUnknownError for an order whose answer was lost, or given up by `signal`.
   */
  async exec(command: string, kind: CommandKind, signal: AbortSignal): Promise<CommandAnswer> {
    if (signal.aborted) {
      throw new UnreachableError(`${this.#host} was not asked: given up before`, {
        cause: signal.reason,
      });
    }
    const lost = Promise.withResolvers<never>();
    const giveUp = (why: string): void => {
      lost.reject(answerLost(this.#host, kind, why));
      channel?.close();
    };
    const onAbort = (): void => giveUp(describeReason(signal.reason));
    let channel: { close(): void } | undefined;
    let bytes = 0;
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > LARGEST_ANSWER_BYTES) {
        giveUp(`more than ${LARGEST_ANSWER_BYTES} bytes were answered`);
      }
    };
    const running = this.#ssh.execCommand(command, {
      noTrim: true,
      onStdout: count,
      onStderr: count,
      onChannel: (opened) => {
        channel = opened;
        if (signal.aborted) {
          opened.close();
        }
      },
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return this.#readEnd(kind, await Promise.race([running, lost.promise]));
    } catch (error) {
      running.catch(() => undefined);
      throw this.#describeLoss(kind, error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends it at once: what is under way is lost. */
  destroy(): void {
    const client = this.#ssh.connection;
    this.#end('closed here');
    client?.destroy();
  }

  /** Without an exit code, the connection was lost or the command was killed. */
  #readEnd(
    kind: CommandKind,
    end: { code: number | null; signal: string | null; stdout: string; stderr: string },
  ): CommandAnswer {
    if (end.code === null) {
      const why =
        end.signal === null ? (this.#why ?? 'closed by the host') : `ended by signal ${end.signal}`;
      throw answerLost(this.#host, kind, why);
    }
    this.#answered = true;
    return { code: end.code, stdout: end.stdout, stderr: end.stderr };
  }

  #describeLoss(kind: CommandKind, error: unknown): unknown {
    if (error instanceof UnreachableError || error instanceof OutcomeUnknownError) {
      return error;
    }
    const message = error instanceof Error ? error.message : String(error);
    // A channel that the host did not open, and a socket that was closed before.
    const wasNotSent =
      (error instanceof Error && 'reason' in error) || message.startsWith('Not connected');
    // ssh2 says the same of a request whose answer was lost together with the connection.
    const wasRefused = message === 'Unable to exec' && this.isOpen;
    if (wasNotSent || wasRefused) {
      return new UnreachableError(`${this.#host} did not take the command: ${printable(message)}`);
    }
    return answerLost(this.#host, kind, message);
  }

  /** An error comes before its close, and both at once or either alone. */
  #end(why: string): void {
    if (this.#why === undefined) {
      this.#why = why;
      this.#onClose?.(this, why);
    }
  }
}

function answerLost(host: string, kind: CommandKind, why: string): Error {
  return kind === 'order'
    ? new OutcomeUnknownError(
        `${host} got the order and its answer was lost (${printable(why)}); the next snapshots show what became of it`,
      )
    : new UnreachableError(`${host} did not answer (${printable(why)}); it is asked again`);
}

function describeReason(reason: unknown): string {
  return reason instanceof Error ? reason.message : 'given up';
}

function describeFailure(options: SessionOptions, error: unknown): ConnectFailure {
  const { host, address, port, user, keyFile, hostKeyCheck } = options;
  const at = `${address}:${port}`;
  if (hostKeyCheck.failure !== undefined) {
    return hostKeyCheck.failure;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && 'level' in error && error.level === 'client-authentication') {
    return new ConnectFailure(
      'login',
      `${host}: ${user}@${at} refuses the key`,
      `put its public key into the authorized_keys of ${user} there, with the forced command`,
    );
  }
  if (message.includes('privateKey')) {
    // The parser's message says what is wrong with the format, and would say more of an unknown one.
    return new ConnectFailure(
      'key-file',
      `${host}: the private key ${keyFile} cannot be used: it is no key that OpenSSH writes`,
      'name the file without .pub as ssh.keyFile, or make one: ssh-keygen -t ed25519 -N ""',
    );
  }
  return new ConnectFailure(
    'network',
    `${host}: no SSH connection to ${at} (${printable(message)})`,
    NAME_ERRORS.has(errorCodeOf(error))
      ? 'is the name spelled right, and known to this machine?'
      : 'is the host up, sshd running, and the port open from here?',
  );
}
