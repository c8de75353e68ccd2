import { parseConfig } from '../../src/config/load-config.ts';
import { InvalidConfigError } from '../../src/config/problems.ts';

/** Only what must be said. Tests change one line of it and name the line in what they expect. */
export const minimal = `installation: example
hosts:
  - { name: local-a, driver: embedded, capacity: { memory: 8GiB, vcpus: 8, disk: 100GiB } }
balancers:
  - { name: lb-a, driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state }
sizes:
  small: { memory: 512MiB, vcpus: 1, disk: 4GiB }
images:
  drupal-web: { version: "1" }
clusters:
  - name: news
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 12 }
        addresses: 127.0.1.20-127.0.1.51
        backend: news-web
        signals: { requestRate: { targetPerNode: 80 } }
`;

/** The same on a Xen host. */
export const minimalXen = `installation: example
hosts:
  - { name: xen-a, driver: xen, address: 10.0.0.11 }
balancers:
  - { name: lb-a, driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state }
network: { bridge: xenbr0, gateway: 10.0.1.1, prefixLength: 24 }
sizes:
  small: { memory: 512MiB, vcpus: 1, disk: 4GiB }
images:
  drupal-web: { version: "1", disk: { lvmThin: vg0/drupal-web }, kernel: /boot/guest/vmlinuz }
clusters:
  - name: news
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 12 }
        addresses: 10.0.1.20-10.0.1.51
        backend: news-web
        signals: { requestRate: { targetPerNode: 80 } }
`;

/** Replaces the first `from`, which must be there: a test that changes nothing proves nothing. */
export function edit(text: string, from: string, to: string): string {
  if (!text.includes(from)) {
    throw new Error(`the text has no ${JSON.stringify(from)}`);
  }
  return text.replace(from, () => to);
}

/** Puts a line below line 18, in the web tier: what it says stands on line 19, from column 9. */
export function withWebLine(line: string, text = minimal): string {
  return text.replace(/ {8}backend: .*\n/, (backend) => `${backend}        ${line}\n`);
}

/** Puts lines above line 6, at the root. */
export function withRootLines(lines: string): string {
  return edit(minimal, 'sizes:\n', `${lines}\nsizes:\n`);
}

/** What a person sees, one line per problem, without the file's name. */
export function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'site.yaml');
    return [];
  } catch (error) {
    if (error instanceof InvalidConfigError) {
      return error.message.split('\n').map((line) => line.replace(/^site\.yaml:/, ''));
    }
    throw error;
  }
}
