/** The real wrapper on a real dom0, by Rackfire's own key: what it refuses, what it names, and what it never sells twice. */

import { Client } from 'ssh2';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ending } from './dom0.ts';
import { type NodeOrder, orderNode, termOfNow } from './node-order.ts';
import { lab } from './scenario.ts';
import { IMAGES } from './site-config.ts';

/** The scenarios use the other one more. */
const [, host] = lab.hosts;
const TERM = termOfNow();
const TIMEOUT_MS = 240_000;
/** A node that is not ours, though it is called as one of ours could be. */
const STRANGER = orderNode(9, TERM);
/** So much that the last memory is little: a large guest takes an emulated host half a minute. */
const STRANGER_MIB = 850;

beforeAll(async () => {
  expect(await host.request(`fence shard=main term=${TERM}`)).toMatchObject({ code: 0 });
  await host.must(`cat >/root/stranger.cfg <<'END'
name = "${STRANGER.name}"
kernel = "${IMAGES}/vmlinuz"
memory = ${STRANGER_MIB}
END
xl create -p /root/stranger.cfg`);
}, TIMEOUT_MS);

afterAll(async () => {
  await host.wipe();
}, TIMEOUT_MS);

/** A refusal, by its exit code and its name. */
function refused(exitCode: number, code: string): object {
  return { code: exitCode, stderr: expect.stringMatching(`^rackfire-dom0: ${code}: `) as string };
}

/** All that a request could change, at once: each look costs an emulated host seconds. */
async function expectOnlyTheStranger(): Promise<void> {
  const text = await host.must(`
    xl list | awk 'NR > 1 && $1 != "Domain-0" { print $1, $(NF - 1) }'
    cd /srv/rackfire
    ls -A disks saved /var/lib/rackfire/nodes /run/rackfire/reservations /dev/vg0 /root/*.cfg | grep -v -e :$ -e '^$'`);
  const left = text.trim().split('\n').toSorted();
  expect(left).toEqual(['web', '/root/stranger.cfg', `${STRANGER.name} --p---`].toSorted());
}

describe('a create that cannot be is told by its name, and leaves nothing', () => {
  test.each([
    ['no image', { disk: `file:${IMAGES}/absent.img` }, 4, 'no-image'],
    ['no kernel', { kernel: `${IMAGES}/absent` }, 4, 'no-kernel'],
    ['a kernel that is none', { kernel: `${IMAGES}/web.img` }, 4, 'bad-kernel'],
    ['no bridge', { bridge: 'absent0' }, 4, 'no-bridge'],
    ['no memory', { memory: 4_000 }, 4, 'no-memory'],
    ['no disk', { 'disk-mib': 999_999 }, 4, 'no-disk'],
  ])('%s', { timeout: TIMEOUT_MS }, async (_what, changes, exitCode, code) => {
    const order = orderNode(1, TERM);

    expect(await host.request(order.create(changes))).toMatchObject(refused(exitCode, code));
    await expectOnlyTheStranger();
  });

  test('a name that a stranger has', { timeout: TIMEOUT_MS }, async () => {
    expect(await host.request(STRANGER.create())).toMatchObject(refused(3, 'name-taken'));
    await expectOnlyTheStranger();
  });
});

describe('the forced command refuses, and nothing happens', () => {
  test.each<[string, () => string, number, string]>([
    ['a domain that is not ours', () => STRANGER.destroy(), 3, 'not-ours'],
    ['another verb', () => 'shutdown name=bench-web-1', 2, 'bad-request'],
    ['a shell', () => 'sh', 2, 'bad-request'],
    ['an older term', () => orderNode(1, '1.1').destroy(), 5, 'stale-term'],
    ['a semicolon', () => 'inspect; touch /root/done.cfg', 2, 'bad-request'],
    ['a substitution', () => 'inspect $(touch /root/done.cfg)', 2, 'bad-request'],
    ['a newline', () => 'inspect\ntouch /root/done.cfg', 2, 'bad-request'],
    [
      'a way out of the images',
      () => orderNode(1, TERM).create({ disk: `file:${IMAGES}/../../../root/x` }),
      2,
      'bad-value',
    ],
    [
      'a path that is no image',
      () => orderNode(1, TERM).create({ kernel: '/etc/shadow' }),
      2,
      'forbidden',
    ],
    ['100 KiB', () => `inspect ${'x'.repeat(100_000)}`, 2, 'bad-request'],
  ])('%s', { timeout: TIMEOUT_MS }, async (_what, request, exitCode, code) => {
    expect(await host.request(request())).toMatchObject(refused(exitCode, code));
    await expectOnlyTheStranger();
  });

  test('1 MiB, which sshd does not even take', { timeout: TIMEOUT_MS }, async () => {
    expect(await askBySsh2(`inspect ${'x'.repeat(1 << 20)}`, '')).not.toMatchObject({ code: 0 });
    await expectOnlyTheStranger();
  });

  test('1 MiB on standard input, which nobody reads', { timeout: TIMEOUT_MS }, async () => {
    const answer = await askBySsh2('inspect', 'touch /root/done.cfg\n'.repeat(1 << 16));

    expect(answer.code).toBe(0);
    expect(answer.stdout).toMatch(/== end\n$/);
    await expectOnlyTheStranger();
  });
});

test.each([1, 2, 3])(
  'two creators want the last memory: one has it, round %i',
  { timeout: TIMEOUT_MS },
  async () => {
    const { freeMemoryMiB } = await host.look();
    // There is room for one of them and most of another one.
    const memory = Math.floor(freeMemoryMiB * 0.6);
    const orders = [orderNode(1, TERM), orderNode(2, TERM)];

    const endings = await Promise.all(
      orders.map((order) => host.request(order.create({ memory }))),
    );

    const codes = new Set(endings.map(({ code }) => code));
    expect(codes, JSON.stringify(endings)).toEqual(new Set([0, 4]));
    const winner = orders[endings.findIndex(({ code }) => code === 0)] as NodeOrder;
    expect(endings.find(({ code }) => code === 4)).toMatchObject(refused(4, 'no-memory'));
    const { domains } = await host.look();
    expect(domains.map(({ name }) => name).toSorted()).toEqual(
      [winner.name, STRANGER.name].toSorted(),
    );
    expect(await host.request(winner.destroy())).toMatchObject({ code: 0 });
    await expectOnlyTheStranger();
  },
);

test('a guest whose monitor daemon was lost is destroyed all the same', {
  timeout: TIMEOUT_MS,
}, async () => {
  const order = orderNode(1, TERM);
  expect(await host.request(order.create())).toMatchObject({ code: 0 });
  await host.must(`kill -9 $(pgrep -f '[x]l create .*${order.name}')`);

  expect(await host.request(`destroy ${order.tenant} deadline=20`)).toMatchObject({ code: 0 });
  await expectOnlyTheStranger();
});

/** For what OpenSSH's client does not send. A connection that the host ends is no answer. */
async function askBySsh2(request: string, input: string): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const client = new Client();
  let stdout = '';
  let stderr = '';
  client.on('ready', () => {
    client.exec(request, (error, channel) => {
      if (error !== undefined) {
        resolve({ code: -1, stdout, stderr: error.message });
        return;
      }
      channel.on('data', (part: Buffer) => {
        stdout += part.toString();
      });
      channel.stderr.on('data', (part: Buffer) => {
        stderr += part.toString();
      });
      channel.on('close', (code: number | undefined) =>
        resolve({ code: code ?? -1, stdout, stderr }),
      );
      channel.end(input);
    });
  });
  client.on('error', (error) => resolve({ code: -1, stdout, stderr: error.message }));
  client.on('close', () => resolve({ code: -1, stdout, stderr }));
  client.connect({
    host: host.address,
    username: 'root',
    privateKey: readFileSync(`${lab.keys}/rackfire`),
    readyTimeout: 20_000,
  });
  const ending = await promise;
  client.end();
  return ending;
}
