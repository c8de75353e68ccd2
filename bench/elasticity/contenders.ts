/** Everybody who is compared, and the targets that each is tried at. */

import { RATED_RPS } from '../../src/sim/physics.ts';
import {
  createForesight,
  createHoltLookAhead,
  createPerfectSenses,
  createTimidForesight,
  createTwoScaleLookAhead,
} from './baselines.ts';
import { createStepScaling, createTargetTracking } from './peers/aws.ts';
import { createManagedGroup } from './peers/gce.ts';
import { createHpaOnCpu, createHpaOnRate } from './peers/hpa.ts';
import { createKnative } from './peers/knative.ts';
import { createNomad } from './peers/nomad.ts';
import { createOneFlow } from './peers/oneflow.ts';
import {
  createAdapt,
  createChameleonLike,
  createConPaas,
  createHist,
  createReact,
  createReg,
} from './peers/research.ts';
import { createRackfire } from './rackfire.ts';
import type { Orderer, Scaler } from './scaler.ts';

export interface Contender {
  readonly name: string;
  /** `seer`: it is told the future, and shows what can be reached. */
  readonly kind: 'rackfire' | 'rackfire with standby' | 'peer' | 'straw man' | 'seer';
  /** Requests per second and node, but for the seers, whose one setting is how far they look. */
  readonly targets: readonly number[];
  /** Paused nodes that are kept beside those it orders. */
  readonly standbyNodes?: number;
  readonly create: (target: number, run: { bootSeconds: number; demand: Uint16Array }) => Orderer;
}

/** Finest where somebody was best; below 64 nobody ever was. */
const TARGETS: readonly number[] = [64, 68, 72, 74, 76, 78, 80, 84];

function peer(name: string, create: (targetRps: number) => Scaler): Contender {
  return { name, kind: 'peer', targets: TARGETS, create };
}

export const RACKFIRE = 'Rackfire';
/** What its config says in every comparison: a node is rated for this. */
export const RACKFIRE_TARGET = RATED_RPS;

export const CONTENDERS: readonly Contender[] = [
  {
    name: RACKFIRE,
    kind: 'rackfire',
    targets: [68, 72, 76, 78, RACKFIRE_TARGET],
    create: (target, { bootSeconds }) => createRackfire(target, bootSeconds),
  },
  {
    name: 'Rackfire, 1 on standby',
    kind: 'rackfire with standby',
    targets: [RACKFIRE_TARGET],
    standbyNodes: 1,
    create: (target, { bootSeconds }) => createRackfire(target, bootSeconds, 1),
  },
  {
    name: 'Rackfire, standby auto',
    kind: 'rackfire with standby',
    targets: [RACKFIRE_TARGET],
    create: (target, { bootSeconds }) => createRackfire(target, bootSeconds, 'auto'),
  },
  peer('Knative KPA', createKnative),
  peer('HPA rps', (target) => createHpaOnRate(target, { windowSeconds: 15 })),
  peer('KEDA 2m rate', (target) => createHpaOnRate(target, { windowSeconds: 120 })),
  // At its saturation of 100 rps a node uses 100 % of its CPU.
  peer('HPA cpu', (target) => createHpaOnCpu(target / 100)),
  peer('AWS target tracking 0.9', (target) =>
    createTargetTracking(target, { periodSeconds: 60, delaySeconds: 60, lowMark: 0.9 }),
  ),
  peer('AWS target tracking 0.7', (target) =>
    createTargetTracking(target, { periodSeconds: 60, delaySeconds: 60, lowMark: 0.7 }),
  ),
  peer('AWS target tracking 10 s', (target) =>
    createTargetTracking(target, { periodSeconds: 10, delaySeconds: 10, lowMark: 0.9 }),
  ),
  peer('AWS step', (target) => createStepScaling(target - 60)),
  peer('GCE managed group', createManagedGroup),
  peer('Nomad target-value', createNomad),
  peer('OneFlow', createOneFlow),
  peer('React', createReact),
  peer('Adapt', createAdapt),
  peer('Hist', createHist),
  peer('Reg', createReg),
  peer('ConPaaS', createConPaas),
  peer('Chameleon-like', createChameleonLike),
  {
    name: 'Holt look-ahead',
    kind: 'straw man',
    targets: TARGETS,
    create: (target, { bootSeconds }) => createHoltLookAhead(target, bootSeconds),
  },
  {
    name: 'Two-scale look-ahead',
    kind: 'straw man',
    targets: TARGETS,
    create: (target, { bootSeconds }) => createTwoScaleLookAhead(target, bootSeconds),
  },
  {
    name: 'Perfect senses',
    kind: 'seer',
    targets: [1],
    create: (_, { demand }) => createPerfectSenses(demand),
  },
  {
    name: 'Foresight',
    kind: 'seer',
    targets: [1, 1.2, 1.4, 1.6],
    create: (share, { bootSeconds, demand }) =>
      createForesight(demand, Math.ceil(share * bootSeconds)),
  },
  {
    name: 'Timid foresight',
    kind: 'seer',
    targets: [1, 1.2, 1.4, 1.6],
    create: (share, { bootSeconds, demand }) =>
      createTimidForesight(demand, Math.ceil(share * bootSeconds)),
  },
];
