import type { Clock } from '../control/clock.ts';
import type { Leadership } from '../control/ports.ts';

/**
 * Leadership where nobody else can lead: this process holds it from its start to its end. Its term still
 * stands in every action, so that a host can refuse an older process's late command.
 */
export function createSoloLeadership(clock: Clock): Leadership {
  const term = { createdAtSeconds: Math.floor(clock.wallMs() / 1000), transitions: 0 };
  return { term: () => term };
}
