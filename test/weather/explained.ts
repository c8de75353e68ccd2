import type { ExplainStep } from '../../src/scaler/explain.ts';

/**
 * What the sentences of an explanation take a node to serve, as a pattern: its target, unless requests took the
 * slots of a node for longer just then, as they do on a machine that is busy.
 */
export function takenToServe(
  steps: readonly { readonly stage: string; readonly text: string }[],
  targetRps: number,
): string {
  const stage: ExplainStep['stage'] = 'slots';
  const slots = steps.find((step) => step.stage === stage)?.text ?? '';
  const rps = / it is taken to serve ([0-9.]+) rps\.$/.exec(slots)?.[1] ?? String(targetRps);
  return rps.replace('.', '\\.');
}
