import { get } from 'node:http';
import type { WeatherSite } from './weather-site.ts';

export interface SlowAnswer {
  /** 0: the connection broke first. */
  readonly status: number;
  /** Who answered. */
  readonly node: string | undefined;
}

/** A visitor whose request takes so long wherever it lands. Never rejects. */
export async function askSlowly(site: Pick<WeatherSite, 'url'>, ms: number): Promise<SlowAnswer> {
  const { promise, resolve } = Promise.withResolvers<SlowAnswer>();
  const fail = (): void => resolve({ status: 0, node: undefined });
  get(new URL(`/slow?ms=${ms}`, site.url), { agent: false }, (answer) => {
    const node = answer.headers['x-rackfire-node']?.toString();
    answer.on('error', fail);
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, node })).resume();
  }).on('error', fail);
  return await promise;
}

/**
 * Many of them at once, some on each node: HAProxy gives a request to whoever has the fewest, so they wait until
 * no node has more than one. Call it when the traffic is low, or will be.
 *
 * @returns When they are on their way.
 */
export async function askAllSlowly(
  site: WeatherSite,
  requests: number,
  ms: number,
): Promise<{ readonly answers: Promise<readonly SlowAnswer[]> }> {
  await site.until('no node has more than one request', ({ servers }) => {
    return [...servers.values()].every(({ sessions }) => sessions <= 1);
  });
  return { answers: Promise.all(Array.from({ length: requests }, () => askSlowly(site, ms))) };
}
