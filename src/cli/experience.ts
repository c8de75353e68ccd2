/** What a running service has learned that a config does not say, read from its metrics. */

import type { HttpConfig } from '../config/config.ts';
import type { Experience } from '../config/advice.ts';

const ANSWER_WITHIN_MS = 3_000;

type Learned = Pick<Experience, 'bootTimesMs'>;

/** @returns Undefined when no service answers there. */
export async function readExperience({ host, port }: HttpConfig): Promise<Learned | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const answer = await fetch(`http://${host}:${port}/metrics`, { signal });
    return answer.ok ? parseExperience(await answer.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** @param text - As Prometheus reads it. */
function parseExperience(text: string): Learned {
  const bootTimesMs = new Map<string, number>();
  for (const [, cluster, tier, seconds] of text.matchAll(
    /^rackfire_boot_time_seconds\{cluster="([^"]+)",tier="([^"]+)"\} ([0-9.e+-]+)$/gm,
  )) {
    bootTimesMs.set(`${cluster}/${tier}`, Number(seconds) * 1_000);
  }
  return { bootTimesMs };
}
