import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { WeatherSite } from './weather-site.ts';

export interface SlowAnswer {
  readonly status: number;
  /** Who answered. */
  readonly node: string;
}

/** A visitor whose request takes so long wherever it lands. @throws Error when the connection is cut. */
export async function askSlowly(site: WeatherSite, ms: number): Promise<SlowAnswer> {
  const question = get(new URL(`/slow?ms=${ms}`, site.url), { agent: false });
  const [answer] = (await once(question, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return {
    status: answer.statusCode ?? 0,
    node: String(answer.headers['x-rackfire-node']),
  };
}
