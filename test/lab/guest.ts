/** A guest as it says itself that it is, asked at its own address and not through HAProxy. */

import { get } from 'node:http';

export interface GuestStatus {
  readonly name: string;
  readonly image: string;
  readonly uuid: string;
  /** Its clock, seconds since 1970. */
  readonly timeSeconds: number;
}

const ASK_DEADLINE_MS = 5_000;

/** @returns Undefined when it does not answer, or not well. */
export async function askGuest(address: string): Promise<GuestStatus | undefined> {
  const text = await fetchText(`http://${address}/status`);
  return text === undefined ? undefined : (JSON.parse(text) as GuestStatus);
}

/** @returns The body of a 200 answer. */
export async function fetchText(url: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const request = get(url, { agent: false, timeout: ASK_DEADLINE_MS }, (answer) => {
    let text = '';
    answer.setEncoding('utf8');
    answer.on('data', (part: string) => {
      text += part;
    });
    answer.on('end', () => resolve(answer.statusCode === 200 ? text : undefined));
    answer.on('error', () => resolve(undefined));
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => resolve(undefined));
  return await promise;
}
