import type { ScaledTier } from '../scaler/cluster.ts';
import { isSameTerm, type Term } from '../scaler/term.ts';
import type { Action, BootAction } from '../scaler/action.ts';
import type { Clock } from './clock.ts';
import { within } from './deadline.ts';
import { PreconditionError, RefusedError, UnreachableError } from './errors.ts';
import type {
  DomainRef,
  Hypervisor,
  Leadership,
  LoadBalancer,
  ServerChange,
  ServerPrecondition,
} from './ports.ts';

/** What actions are carried out on. */
export interface Actuators {
  readonly hypervisors: ReadonlyMap<string, Hypervisor>;
  readonly balancers: readonly LoadBalancer[];
  /** Names of balancers whose silence keeps nothing from being done. */
  readonly excluded: ReadonlySet<string>;
  readonly leadership: Leadership;
  readonly uuidOf: (name: string) => string;
  readonly clock: Clock;
}

/** A balancer that takes longer does not answer. */
const BALANCER_DEADLINE_MS = 5_000;

/**
 * Carries out one action. Repeating it after any interruption leads to the same end.
 *
 * Order with the balancer: out of rotation before a domain is touched, into rotation only after its check.
 *
 * @param bornMs - The birth that a boot gives its node.
 * @throws RefusedError, PreconditionError, UnreachableError, OutcomeUnknownError as the ports say.
 */
export async function carryOut(
  tier: ScaledTier,
  action: Action,
  bornMs: number,
  actuators: Actuators,
  signal: AbortSignal,
): Promise<void> {
  const mayGoOn = (): void => requireTerm(actuators.leadership, action.term);
  const setServer = async (
    to: ServerChange['to'],
    requires: ServerPrecondition = 'none',
  ): Promise<void> => {
    const change = { backend: tier.backend, server: action.node, to, requires };
    await setOnAll(change, actuators, mayGoOn, signal);
  };

  switch (action.kind) {
    case 'repair': {
      const { balancer, to } = action;
      const balancers = actuators.balancers.filter(({ name }) => name === balancer);
      const requires = to === 'ready' ? 'check-passed' : 'none';
      const change = { backend: tier.backend, server: action.node, to, requires } as const;
      return setOnAll(change, { ...actuators, balancers }, mayGoOn, signal);
    }
    case 'admit':
      return setServer('ready', 'check-passed');
    case 'warm':
    case 'drain':
      return setServer('drain');
    case 'park':
      return setServer('maint');
    case 'boot':
      // Drained at once, so that the first passed check is seen at once. A balancer that does not answer
      // must not keep a node from booting: its server is drained when it answers again.
      await setServer('drain').catch(ignoreUnreachable);
      mayGoOn();
      return hypervisorOf(actuators, action.host).create(
        bootOrder(tier, action, bornMs, actuators),
        signal,
      );
    case 'wake':
      // The other way round: checks of a frozen node would fail, and a server that enters DRAIN forgets
      // the results of before.
      mayGoOn();
      await hypervisorOf(actuators, action.host).wake(domainRef(action, actuators), signal);
      return setServer('drain');
    case 'pause':
    case 'save': {
      await setServer('maint', 'quiet');
      mayGoOn();
      const hypervisor = hypervisorOf(actuators, action.host);
      return hypervisor[action.kind](domainRef(action, actuators), signal);
    }
    case 'destroy': {
      // Sessions are counted once more, right before: demand may have returned since the plan was made.
      // A failed boot, which never had any, stays in DRAIN until it is gone: in maintenance it would pass for
      // a newborn node, and be waited for, if its destruction failed.
      const hasFailed = action.reason === 'boot-failed';
      if (action.reason === 'residue') {
        // Nothing runs there that could serve anybody.
        await setServer('maint').catch(ignoreUnreachable);
      } else {
        await setServer(hasFailed ? 'drain' : 'maint', action.force ? 'none' : 'quiet');
      }
      mayGoOn();
      await hypervisorOf(actuators, action.host).destroy(domainRef(action, actuators), signal);
      return hasFailed ? setServer('maint') : undefined;
    }
  }
}

/** @throws PreconditionError when another term is in force, or none: act no more. */
function requireTerm(leadership: Leadership, term: Term): void {
  if (!isSameTerm(leadership.term(), term)) {
    throw new PreconditionError('this process does not lead any more');
  }
}

/**
 * A balancer that does not answer must not keep the others from being told. Excluded ones are told last, as far
 * as they can be; only sessions there still count.
 *
 * @throws UnreachableError at the end.
 */
async function setOnAll(
  change: ServerChange,
  { balancers, excluded, clock }: Actuators,
  mayGoOn: () => void,
  signal: AbortSignal,
): Promise<void> {
  let unreachable: UnreachableError | undefined;
  const isExcluded = ({ name }: LoadBalancer): boolean => excluded.has(name);
  for (const balancer of balancers.toSorted(
    (one, other) => Number(isExcluded(one)) - Number(isExcluded(other)),
  )) {
    mayGoOn();
    const late = (): Error =>
      new UnreachableError(`${balancer.name} did not answer within ${BALANCER_DEADLINE_MS} ms`);
    try {
      await within({ clock, ms: BALANCER_DEADLINE_MS, late }, signal, (until) =>
        balancer.setServers([change], until),
      );
    } catch (error) {
      const isUnfit = error instanceof PreconditionError && change.requires !== 'quiet';
      if (isExcluded(balancer) && isUnfit) {
        continue;
      }
      ignoreUnreachable(error);
      unreachable ??= isExcluded(balancer) ? undefined : error;
    }
  }
  if (unreachable !== undefined) {
    throw unreachable;
  }
}

function ignoreUnreachable(error: unknown): asserts error is UnreachableError {
  if (!(error instanceof UnreachableError)) {
    throw error;
  }
}

function hypervisorOf(actuators: Actuators, host: string): Hypervisor {
  const hypervisor = actuators.hypervisors.get(host);
  if (hypervisor === undefined) {
    throw new RefusedError(`no host is called ${host}`);
  }
  return hypervisor;
}

function domainRef(
  action: { readonly node: string; readonly bornMs: number; readonly term: Term },
  actuators: Actuators,
): DomainRef {
  return {
    name: action.node,
    uuid: actuators.uuidOf(action.node),
    bornMs: action.bornMs,
    term: action.term,
  };
}

function bootOrder(
  tier: ScaledTier,
  action: BootAction,
  bornMs: number,
  actuators: Actuators,
): Parameters<Hypervisor['create']>[0] {
  return {
    name: action.node,
    uuid: actuators.uuidOf(action.node),
    bornMs,
    address: action.address,
    port: tier.health.port,
    mac: action.mac,
    imageName: tier.image.name,
    imageVersion: tier.image.version,
    memoryMiB: tier.size.guestMemoryMiB,
    vcpus: tier.size.vcpus,
    diskMiB: tier.size.diskMiB,
    term: action.term,
  };
}
