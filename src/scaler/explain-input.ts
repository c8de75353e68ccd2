import type { Mode } from './cluster.ts';
import type { DecidedTick } from './counterfactual.ts';

/** A kept tick, and how its times are written: the core has none but steady ones. */
export interface ExplainInput extends DecidedTick {
  readonly mode: Mode;
  readonly formatTime: (atMs: number) => string;
}

/** `override o1 (“sale”, until 15:00:00)`. */
export function nameOverride({ observation, formatTime }: ExplainInput, id: string): string {
  const override = observation.overrides.find((one) => one.id === id);
  if (override === undefined) {
    return `override ${id}`;
  }
  const why = override.reason === '' ? '' : `“${override.reason}”, `;
  return `override ${id} (${why}until ${formatTime(override.untilMs)})`;
}
