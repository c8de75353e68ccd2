import type { OverrideAnswer } from '../http/override-answer.ts';
import { formatFuture, formatMoment } from './moments.ts';

/** `o7: scale-in of news/web paused since 14:07:10, until 16:07:10 (in 2 h): deploy of the shop` */
export function describeOverride(override: OverrideAnswer, nowMs: number): string {
  const { givenAt, expiresAt, reason } = override;
  const until = formatFuture(expiresAt, nowMs);
  return `${nameOverride(override)} since ${formatMoment(givenAt, nowMs)}, until ${until}: ${reason}`;
}

/** `o7: scale-in of news/web paused` */
export function nameOverride({
  id,
  kind,
  direction,
  nodes,
  node,
  host,
  balancer,
  tier,
}: OverrideAnswer): string {
  switch (kind) {
    case 'pause':
      return `${id}: ${direction === 'all' ? 'scaling' : `scale-${direction}`} of ${tier} paused`;
    case 'hold':
      return `${id}: ${tier} held at ${nodes} nodes`;
    case 'min':
      return `${id}: ${tier} kept at ${nodes} nodes or more`;
    case 'protect':
      return `${id}: ${node} protected`;
    case 'drain':
      return `${id}: ${node} to be drained`;
    case 'drain-host':
      return `${id}: host ${host} to be drained`;
    case 'exclude-balancer':
      return `${id}: balancer ${balancer} excluded`;
  }
}
