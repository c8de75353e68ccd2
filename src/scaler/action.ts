/** What can be done to a node, with nothing left to choose. */

import type { Node } from './node-phase.ts';
import type { AdminState } from './observation.ts';
import type { Term } from './term.ts';

/** Why a node is let go, or why one comes. */
export type ActionReason =
  | 'needed'
  | 'not-needed'
  | 'standby'
  | 'sick'
  | 'asked'
  | 'boot-failed'
  | 'drain-deadline'
  | 'no-domain'
  | 'drift'
  | 'residue';

interface ActionBase {
  readonly node: string;
  readonly number: number;
  readonly reason: ActionReason;
  readonly term: Term;
}

/** An action on a domain that exists names its host and birth, so that it can never hit the next tenant. */
interface DomainAction extends ActionBase {
  readonly host: string;
  readonly bornMs: number;
}

export interface BootAction extends ActionBase {
  readonly kind: 'boot';
  readonly host: string;
  readonly address: string;
  readonly mac: string;
}

export interface RepairAction extends ActionBase {
  readonly kind: 'repair';
  readonly balancer: string;
  readonly to: AdminState;
}

export type Action =
  | BootAction
  /** Servers only: into rotation; checks on, no traffic; out of rotation; into maintenance. */
  | (ActionBase & { readonly kind: 'admit' | 'warm' | 'drain' | 'park' })
  /** One server of it, on the one balancer that has it otherwise than the others. */
  | RepairAction
  | (DomainAction & { readonly kind: 'wake' })
  | (DomainAction & { readonly kind: 'pause' | 'save' })
  /** `force`: sessions that are left are cut, because the drain's deadline has passed. */
  | (DomainAction & { readonly kind: 'destroy'; readonly force: boolean });

/** It makes the tier smaller. */
export function takesAway({ kind }: Action): boolean {
  return kind === 'drain' || kind === 'pause' || kind === 'save' || kind === 'destroy';
}

/** An action on a node's servers alone. */
export function serverAction<K extends 'admit' | 'warm' | 'drain' | 'park'>(
  kind: K,
  node: Node,
  reason: ActionReason,
  term: Term,
): ActionBase & { readonly kind: K } {
  return { kind, node: node.name, number: node.number, reason, term };
}

/** What an action on a domain needs to hit this tenant and no other. */
export function domainAction(node: Node, reason: ActionReason, term: Term): DomainAction {
  return {
    node: node.name,
    number: node.number,
    reason,
    term,
    host: node.host ?? '',
    bornMs: node.bornMs,
  };
}
