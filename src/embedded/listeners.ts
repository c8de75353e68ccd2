import { readFileSync } from 'node:fs';

/** State `LISTEN` in /proc/net/tcp. @see proc_net_tcp(5) */
const LISTEN = '0A';

/** Whether a process of this machine listens at this IPv4 address and port, or at this port of all addresses. */
export function isListening(address: string, port: number): boolean {
  const portText = port.toString(16).toUpperCase().padStart(4, '0');
  // The kernel prints the four bytes in the order of a little-endian machine.
  const bytes = address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  const addressText = bytes.toReversed().join('').toUpperCase();
  const taken = new Set([`${addressText}:${portText}`, `00000000:${portText}`]);
  const anyOfSix = `${'0'.repeat(32)}:${portText}`;
  return (
    listenersIn('/proc/self/net/tcp').some((local) => taken.has(local)) ||
    listenersIn('/proc/self/net/tcp6').includes(anyOfSix)
  );
}

function listenersIn(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // No IPv6, or no /proc at all, which is said elsewhere.
    return [];
  }
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/ +/))
    .filter(([, , , state]) => state === LISTEN)
    .map(([, local = '']) => local);
}
