import { readFileSync } from 'node:fs';

/** Answers recorded from Debian's HAProxy 2.6.12-1+deb12u4, by situation. */
export function recorded(situation: string): string {
  const path = new URL(`../../fixtures/haproxy/2.6.12-${situation}.txt`, import.meta.url);
  return readFileSync(path, 'utf8');
}
