/** What means the same on every dashboard: expressions, colors, texts. */

import { valueTexts } from './panels.ts';

/**
 * Of series of what is decided, those of the Rackfire that leads. Those that stand by decide, too, but know no
 * override, and nobody carries it out.
 */
export function ofLeader(series: string): string {
  return `${series} and on (job, instance) (rackfire_leader == 1)`;
}

export const PHASE_COLORS = {
  'in-service': 'green',
  booting: 'blue',
  warming: 'super-light-blue',
  'out-of-rotation': 'yellow',
  stopping: 'purple',
  standby: 'text',
  failed: 'red',
  unknown: 'orange',
  conflict: 'dark-red',
  residue: 'dark-orange',
};

/** Of boots: `closed` and `open` are said of a breaker, and under a title with boots would say the opposite. */
export const BREAKER_TEXTS = valueTexts({
  0: ['are made', 'green'],
  1: ['one is tried', 'orange'],
  2: ['none is made', 'red'],
});

export const UP_TEXTS = valueTexts({ 0: ['silent', 'red'], 1: ['answers', 'green'] });

export const FENCED_TEXTS = valueTexts({ 0: ['not yet', 'orange'], 1: ['obeys', 'green'] });

export const SYNC_TEXTS = valueTexts({ 0: ['differs', 'red'], 1: ['in sync', 'green'] });
