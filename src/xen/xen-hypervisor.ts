import { createHash } from 'node:crypto';
import { PreconditionError, RefusedError, UnreachableError } from '../control/errors.ts';
import type { BootOrder, DomainRef, HostPace, Hypervisor } from '../control/ports.ts';
import type { DomainState } from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import { describeFailure, parseRefusal } from './dom0-answer.ts';
import { type Dom0Verb, formatRequest } from './dom0-request.ts';
import { readSnapshot } from './host-snapshot.ts';
import type { InspectAnswer } from './inspect-answer.ts';
import { printable } from './printable.ts';
import type { CommandAnswer } from './ssh-session.ts';
import { SshConnection } from './ssh-connection.ts';
import {
  ANSWER_WITHIN_MS,
  formatDisk,
  inspectHost,
  type XenHostOptions,
  type XenImage,
} from './xen-host.ts';

/** A host behind a connection that somebody must end. */
export interface XenHypervisor extends Hypervisor {
  /** Ends the connection at once. What runs on the host runs on. */
  close(): void;
}

/**
 * `xl list -l` and its neighbours take dom0 a second or two, and up to ten while it builds guests; so it is asked less
 * often than a process table, and waited for longer. While something changes there, too: what a question takes is
 * taken from the guest that is being made, and when an order ends it is asked at once anyway. Two questions in a row
 * may fail before a host is not known any more. A create was seen to take 40 s on a busy host, and a guest that heeds
 * no shutdown takes its deadline and some 30 s for the destruction.
 */
const PACE: HostPace = {
  intervalMs: 5_000,
  busyIntervalMs: 4_000,
  answerWithinMs: ANSWER_WITHIN_MS,
  staleAfterMs: 30_000,
  actWithinMs: 180_000,
};

/** Only one leader at a time drives a host; more would need a config that splits its clusters. */
const SHARD = 'main';

type Values = Readonly<Record<string, string | number | undefined>>;

/** A Xen host whose dom0 carries orders out by the wrapper `rackfire-dom0`. @see docs/xen.md */
export function createXenHypervisor(options: XenHostOptions): XenHypervisor {
  return new WrappedDom0(options);
}

class WrappedDom0 implements XenHypervisor {
  readonly host: string;
  readonly pace = PACE;
  readonly #options: XenHostOptions;
  readonly #connection: SshConnection;
  /** The newest term that this host has confirmed. */
  #confirmedTerm: string | undefined;
  /** By `tenantKey`: what the last look has shown; forgotten when an order changes it. */
  #states: ReadonlyMap<string, DomainState> = new Map();

  constructor(options: XenHostOptions) {
    const { host, connection, clock } = options;
    this.host = host;
    this.#options = options;
    this.#connection = new SshConnection({ ...connection, host, clock });
  }

  inspect: Hypervisor['inspect'] = async (signal) => {
    const answer = await inspectHost(this.#connection, this.host, signal);
    this.#requireInstallation(answer);
    const snapshot = readSnapshot(answer, this.#options);
    this.#states = new Map(snapshot.domains.map((domain) => [tenantKey(domain), domain.state]));
    return snapshot;
  };

  fence: NonNullable<Hypervisor['fence']> = (term, signal) => this.#fence(term, signal);

  create: Hypervisor['create'] = async (order, signal) => {
    const image = this.#imageOf(order);
    const values = formatCreate(order, image, this.#options);
    await this.#orderFenced('create', order, values, signal);
  };

  pause: Hypervisor['pause'] = (ref, signal) =>
    this.#order('pause', ref, formatTenant(ref), signal);

  save: Hypervisor['save'] = (ref, signal) => this.#order('save', ref, formatTenant(ref), signal);

  /** Which way a node wakes depends on how it sleeps; who was not seen asleep lately is looked at first. */
  wake: Hypervisor['wake'] = async (ref, signal) => {
    const seen = this.#states.get(tenantKey(ref));
    if (seen !== 'paused' && seen !== 'saved') {
      await this.inspect(signal);
    }
    const state = this.#states.get(tenantKey(ref));
    switch (state) {
      case 'running':
        return;
      case 'paused':
        return this.#order('unpause', ref, formatTenant(ref), signal);
      case 'saved':
        return this.#orderFenced('restore', ref, formatTenant(ref), signal);
      default: {
        const found = state === undefined ? 'is not there' : `is ${state}`;
        throw new PreconditionError(
          `${ref.name}, born ${ref.bornMs}, cannot be woken on ${this.host}: it ${found}`,
        );
      }
    }
  };

  destroy: Hypervisor['destroy'] = (ref, signal) => {
    const deadline = this.#options.shutdownDeadlineSeconds;
    return this.#order('destroy', ref, { ...formatTenant(ref), deadline }, signal);
  };

  close(): void {
    this.#connection.close();
  }

  /**
   * Guests would be marked as those of another installation: never seen as ours, never served by, never destroyed,
   * and another one booted for each.
   *
   * @throws UnreachableError
   */
  #requireInstallation({ installation: found }: InspectAnswer): void {
    const { installation } = this.#options;
    if (found !== installation) {
      throw new UnreachableError(
        `${this.host}: INSTALLATION in dom0.conf there is ${printable(found)}, and not ${installation}, which is ` +
          'the `installation` of this config; correct the one that is wrong',
      );
    }
  }

  /** @throws RefusedError: the config names an image that this host lacks, or another version of it. */
  #imageOf({ imageName, imageVersion }: BootOrder): XenImage {
    const image = this.#options.images.get(imageName);
    if (image?.version !== imageVersion) {
      const has = image === undefined ? 'does not have it' : `has ${image.version}`;
      throw new RefusedError(
        `${this.host}: no image ${imageName}@${imageVersion}: the config ${has}; add it under images`,
      );
    }
    return image;
  }

  /**
   * Gives an order that a host carries out only for the leader whose term it was shown last. A host that was
   * set up anew has forgotten the term: then it is shown again, once.
   */
  async #orderFenced(
    verb: Dom0Verb,
    ref: DomainRef,
    values: Values,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#confirmedTerm !== formatTerm(ref.term)) {
      await this.#fence(ref.term, signal);
    }
    let answer = await this.#send(verb, ref, values, signal);
    if (parseRefusal(answer)?.code === 'not-fenced') {
      await this.#fence(ref.term, signal);
      answer = await this.#send(verb, ref, values, signal);
    }
    this.#requireSuccess(verb, ref, answer);
  }

  async #order(verb: Dom0Verb, ref: DomainRef, values: Values, signal: AbortSignal): Promise<void> {
    this.#requireSuccess(verb, ref, await this.#send(verb, ref, values, signal));
  }

  async #send(
    verb: Dom0Verb,
    ref: DomainRef,
    values: Values,
    signal: AbortSignal,
  ): Promise<CommandAnswer> {
    this.#forget(ref);
    const request = formatRequest(verb, values);
    const terms = { kind: 'order', withinMs: PACE.actWithinMs } as const;
    return this.#connection.run(request, terms, signal);
  }

  #requireSuccess(verb: Dom0Verb, ref: DomainRef, answer: CommandAnswer): void {
    if (answer.code !== 0) {
      throw describeFailure(this.host, `${verb} ${ref.name}`, 'order', answer);
    }
  }

  /**
   * Repeating it changes nothing, so one whose answer was lost is as good as not sent.
   *
   * @throws PreconditionError when a newer term was shown. @throws UnreachableError
   */
  async #fence(term: Term, signal: AbortSignal): Promise<void> {
    const text = formatTerm(term);
    this.#confirmedTerm = undefined;
    const request = formatRequest('fence', { shard: SHARD, term: text });
    const terms = { kind: 'question', withinMs: ANSWER_WITHIN_MS } as const;
    const answer = await this.#connection.run(request, terms, signal);
    if (answer.code !== 0) {
      const kind = parseRefusal(answer)?.exitCode === 5 ? 'order' : 'question';
      throw describeFailure(this.host, `fence ${text}`, kind, answer);
    }
    this.#confirmedTerm = text;
  }

  #forget(ref: DomainRef): void {
    const states = new Map(this.#states);
    states.delete(tenantKey(ref));
    this.#states = states;
  }
}

function tenantKey({ name, uuid, bornMs }: Pick<DomainRef, 'name' | 'uuid' | 'bornMs'>): string {
  return `${name} ${uuid} ${bornMs}`;
}

function formatTerm({ createdAtSeconds, transitions }: Term): string {
  return `${createdAtSeconds}.${transitions}`;
}

function formatTenant({ name, uuid, bornMs, term }: DomainRef): Values {
  return { name, uuid, born: bornMs, shard: SHARD, term: formatTerm(term) };
}

/** The order of the keys is the contract's. */
function formatCreate(order: BootOrder, image: XenImage, { network }: XenHostOptions): Values {
  const guest = {
    image: `${order.imageName}@${order.imageVersion}`,
    disk: formatDisk(image),
    kernel: image.kernel,
    ramdisk: image.ramdisk,
    type: image.type,
    memory: order.memoryMiB,
    vcpus: order.vcpus,
    'disk-mib': order.diskMiB,
    mac: order.mac,
    bridge: network.bridge,
    ...(network.addressing === 'kernel'
      ? { ip: order.address, gateway: network.gateway, prefix: network.prefixLength }
      : {}),
  };
  return { ...formatTenant(order), ...guest, hash: hashOf(guest) };
}

/** Tells whether a guest was made with the settings of today: the first 16 hex digits of their SHA-256. */
function hashOf(guest: Values): string {
  const { bridge: _bridge, ...visible } = guest;
  return createHash('sha256').update(JSON.stringify(visible)).digest('hex').slice(0, 16);
}
