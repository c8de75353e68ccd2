/**
 * What time does to requests and to nodes, in steps of one second: the queue at the balancer, boots, and what
 * nodes cost. Everything that scores a scaler shares this, so that scores can be compared. Chance is passed in.
 */

/** A node works on 10 requests at once, each of which takes 0.1 s. */
export const SLOTS = 10;
export const SERVICE_SECONDS = 0.1;
export const SATURATED_RPS = 100;
/** The rate at which the 95th percentile of a node's latency stays below 500 ms. */
export const RATED_RPS = 80;
/** HAProxy's `timeout queue`: whoever has waited so long is answered with 503. */
const QUEUE_TIMEOUT_SECONDS = 5;
/** A paused or saved node takes memory or disk, and no CPU. */
export const STANDBY_COST = 0.25;
/** From the order until a paused or saved node serves. */
export const WAKE_SECONDS = 2;

/**
 * One queue at the balancer, first in, first out. Requests are a fluid: of one second's arrivals any share
 * can be served, wait, or be dropped when it has waited for {@link QUEUE_TIMEOUT_SECONDS}.
 */
export class FluidQueue {
  /** Of the latest second. */
  served = 0;
  dropped = 0;
  /** Requests that wait at the end of the second. */
  waiting = 0;
  /** How long a request would wait that arrives at the end of the second. */
  waitSeconds = 0;
  /** What is left of the arrivals of each of the latest seconds; `#oldest` is the one that is dropped next. */
  readonly #left = new Float64Array(QUEUE_TIMEOUT_SECONDS + 1);
  #oldest = 0;

  /** One second: `arrivals` requests come, and the nodes can serve up to `capacity` of all that are there. */
  step(arrivals: number, capacity: number): void {
    if (this.waiting === 0 && arrivals <= capacity) {
      this.served = arrivals;
      this.dropped = 0;
      this.waitSeconds = 0;
      return;
    }
    const left = this.#left;
    const size = left.length;
    // The place of the second that was dropped last is the place of this one.
    left[(this.#oldest + size - 1) % size] = arrivals;
    let free = capacity;
    let waiting = 0;
    for (let age = 0; age < size; age += 1) {
      const at = (this.#oldest + age) % size;
      const there = left[at] ?? 0;
      const taken = Math.min(there, free);
      free -= taken;
      left[at] = there - taken;
      waiting += there - taken;
    }
    this.served = capacity - free;
    this.dropped = left[this.#oldest] ?? 0;
    left[this.#oldest] = 0;
    this.#oldest = (this.#oldest + 1) % size;
    // Sums of fluids leave crumbs, and a crumb is no request.
    this.waiting = waiting - this.dropped > 1e-6 ? waiting - this.dropped : 0;
    this.waitSeconds = this.waiting === 0 ? 0 : this.waiting / Math.max(capacity, 1e-9);
  }
}

/** Boots are drawn apart from the load: a generator for them begins with its seed and this, exclusive or. */
export const BOOTS_SEED = 0xb007;

/** How boots go. */
export interface BootModel {
  readonly medianSeconds: number;
  /** Of the logarithm; 0.25 makes one boot in ten take 1.4 times the median. */
  readonly sigma: number;
  /** The share that takes four times the median, and the share that never serves. */
  readonly stragglers: number;
  readonly failures: number;
}

/** What the published scores rest on. */
export function plainBoots(medianSeconds: number): BootModel {
  return { medianSeconds, sigma: 0.25, stragglers: 0, failures: 0 };
}

/** The variant: 2 % stragglers and 1 % failed boots. */
export function roughBoots(medianSeconds: number): BootModel {
  return { medianSeconds, sigma: 0.25, stragglers: 0.02, failures: 0.01 };
}

/** No boot takes less than this share of the median. */
const BOOT_FLOOR = 0.6;
const STRAGGLER_FACTOR = 4;

export interface Boot {
  /** From the order until it serves, or until it is seen to have failed. */
  readonly seconds: number;
  readonly fails: boolean;
}

/**
 * Draws one boot. It takes the same number of draws whatever comes out, so that the n-th boot of two runs
 * with the same seed is the same.
 *
 * @param random - Uniform in [0, 1).
 */
export function drawBoot(model: BootModel, random: () => number): Boot {
  const normal = drawNormal(random);
  const luck = random();
  const straggles = luck < model.stragglers;
  const usual = Math.max(Math.exp(model.sigma * normal), BOOT_FLOOR);
  return {
    seconds: model.medianSeconds * (straggles ? STRAGGLER_FACTOR : usual),
    fails: luck >= 1 - model.failures,
  };
}

/** Standard normal, by Box and Muller. */
export function drawNormal(random: () => number): number {
  // 1 − u is in (0, 1], so the logarithm is finite.
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

export interface FleetOptions {
  readonly boots: BootModel;
  readonly random: () => number;
  /** Nodes that serve at the start. */
  readonly readyNodes: number;
  /** Paused nodes kept beside those that are ordered, and how long one takes to wake. */
  readonly standbyNodes?: number;
  readonly wakeSeconds?: number;
}

interface Coming extends Boot {
  readonly isWake: boolean;
  readonly endsAt: number;
}

/**
 * Nodes that are all alike. Whoever orders fewer cancels those that boot, the newest first, then those that are being
 * woken, and drains those that serve; at most one second later a drained node is gone. A boot that failed is repeated
 * at once.
 */
export class Fleet {
  ready: number;
  /** How long each boot took that ended well, in the order in which they did. */
  readonly bootTimes: number[] = [];
  readonly #boots: BootModel;
  readonly #random: () => number;
  #standbyNodes: number;
  readonly #wakeSeconds: number;
  /** Ordered, and not there yet; the newest order is the last. */
  readonly #coming: Coming[] = [];
  readonly #standbyComing: Coming[] = [];
  #paused: number;
  /** The earliest end of a boot: most seconds have none. */
  #nextEnd = Number.POSITIVE_INFINITY;

  constructor(options: FleetOptions) {
    this.#boots = options.boots;
    this.#random = options.random;
    this.ready = options.readyNodes;
    this.#standbyNodes = options.standbyNodes ?? 0;
    this.#wakeSeconds = options.wakeSeconds ?? WAKE_SECONDS;
    this.#paused = this.#standbyNodes;
  }

  /** Ready, or on the way. */
  get ordered(): number {
    return this.ready + this.#coming.length;
  }

  get paused(): number {
    return this.#paused;
  }

  /** Booting to be paused. */
  get pausedSoon(): number {
    return this.#standbyComing.length;
  }

  /** What a second with this fleet costs, in node-seconds. */
  get cost(): number {
    const { length } = this.#standbyComing;
    return this.ready + this.#coming.length + length + STANDBY_COST * this.#paused;
  }

  /** Takes over what has booted, or failed to, by this second. */
  advance(second: number): void {
    if (second < this.#nextEnd) {
      return;
    }
    const again = this.#end(this.#coming, second, () => {
      this.ready += 1;
    });
    const standbyAgain = this.#end(this.#standbyComing, second, () => {
      this.#paused += 1;
    });
    this.#boot(this.#coming, again, second);
    this.#boot(this.#standbyComing, standbyAgain, second);
    this.#nextEnd = Math.min(earliest(this.#coming), earliest(this.#standbyComing));
  }

  /**
   * Wakes, boots, cancels and drains until so many nodes are ready or on the way, and so many stand by or come to.
   *
   * @param soonNodes - So many of them are needed before a boot would serve.
   */
  order(nodes: number, second: number, standbyNodes = this.#standbyNodes, soonNodes = nodes): void {
    this.#standbyNodes = standbyNodes;
    if (this.#paused > 0) {
      const waking = this.#coming.filter(({ isWake }) => isWake).length;
      this.#wake(Math.min(soonNodes, nodes) - this.ready - waking, second);
    }
    const missing = nodes - this.ordered;
    if (missing > 0) {
      this.#bringIn(missing, second);
    } else if (missing < 0) {
      this.#letGo(-missing);
    }
    const wanted = this.#standbyMissing;
    if (wanted > 0) {
      this.#boot(this.#standbyComing, wanted, second);
    } else if (wanted < 0) {
      this.#standBySurplus(-wanted);
    }
  }

  get #standbyMissing(): number {
    return this.#standbyNodes - this.#paused - this.#standbyComing.length;
  }

  #standBySurplus(surplus: number): void {
    const cancelled = Math.min(surplus, this.#standbyComing.length);
    this.#standbyComing.length -= cancelled;
    this.#paused -= surplus - cancelled;
  }

  /** @returns How many there were to wake. */
  #wake(most: number, second: number): number {
    const woken = Math.max(0, Math.min(most, this.#paused));
    this.#paused -= woken;
    for (let node = 0; node < woken; node += 1) {
      this.#await(this.#coming, { seconds: this.#wakeSeconds, fails: false }, second, true);
    }
    return woken;
  }

  /** What comes anyway, what need not stand by any more, and boots. */
  #bringIn(missing: number, second: number): void {
    const taken = this.#standbyComing.splice(0, missing);
    this.#coming.unshift(...taken);
    const left = missing - taken.length;
    const woken = this.#wake(Math.min(left, this.#paused - this.#standbyNodes), second);
    this.#boot(this.#coming, left - woken, second);
  }

  /** What is furthest from serving goes first: of boots and then of wakes the newest, and last what serves. */
  #letGo(surplus: number): void {
    const booting = this.#coming.filter(({ isWake }) => !isWake);
    const waking = this.#coming.filter(({ isWake }) => isWake);
    const going = [...waking, ...booting].slice(-surplus);
    const stopped = new Set(going);
    const staying = this.#coming.filter((one) => !stopped.has(one));
    this.#coming.splice(0, Number.POSITIVE_INFINITY, ...staying);
    // What boots and is not needed stands by when it is there, as far as that is wanted.
    const boots = going.filter(({ isWake }) => !isWake);
    this.#standbyComing.push(...boots.slice(0, Math.max(0, this.#standbyMissing)));
    const drained = surplus - going.length;
    this.ready -= drained;
    // A drained node stands by at once, and so does one that was being woken: better than one that still boots for that.
    const awake = drained + going.length - boots.length;
    this.#paused = Math.min(this.#paused + awake, this.#standbyNodes);
  }

  #boot(list: Coming[], nodes: number, second: number): void {
    for (let node = 0; node < nodes; node += 1) {
      this.#await(list, drawBoot(this.#boots, this.#random), second, false);
    }
  }

  #await(list: Coming[], { seconds, fails }: Boot, second: number, isWake: boolean): void {
    const endsAt = second + seconds;
    list.push({ seconds, fails, isWake, endsAt });
    this.#nextEnd = Math.min(this.#nextEnd, endsAt);
  }

  /** @returns How many failed. */
  #end(list: Coming[], second: number, serve: () => void): number {
    let kept = 0;
    let failed = 0;
    for (const coming of list) {
      if (coming.endsAt > second) {
        list[kept] = coming;
        kept += 1;
      } else if (coming.fails) {
        failed += 1;
      } else {
        serve();
        if (!coming.isWake) {
          this.bootTimes.push(coming.seconds);
        }
      }
    }
    list.length = kept;
    return failed;
  }
}

function earliest(list: readonly Coming[]): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { endsAt } of list) {
    first = Math.min(first, endsAt);
  }
  return first;
}
