import { get } from 'node:http';
import type { WeatherSite } from './weather-site.ts';

export interface SlowAnswer {
  /** 0: the connection broke first. */
  readonly status: number;
  /** Who answered. */
  readonly node: string | undefined;
}

/** A visitor whose request takes so long wherever it lands. Never rejects. */
export async function askSlowly(site: WeatherSite, ms: number): Promise<SlowAnswer> {
  const { promise, resolve } = Promise.withResolvers<SlowAnswer>();
  const fail = (): void => resolve({ status: 0, node: undefined });
  get(new URL(`/slow?ms=${ms}`, site.url), { agent: false }, (answer) => {
    const node = answer.headers['x-rackfire-node']?.toString();
    answer.on('error', fail);
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, node })).resume();
  }).on('error', fail);
  return await promise;
}
