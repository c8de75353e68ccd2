import { describe, expect, test } from 'vitest';
import {
  ConflictError,
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../../src/control/errors.ts';
import { TestClock } from '../control/test-clock.ts';
import {
  bootOrder,
  byVerb,
  domainRef,
  eventually,
  failureOf,
  inspectText,
  never,
  nodeLine,
  refuse,
  startHost,
  uuidOf,
} from './scripted-host.ts';
import { answer, type CommandHandler } from './ssh-server.ts';

const web3 = 'news-web-3';
const tenant = `name=${web3} uuid=${uuidOf(web3)} born=1795501400000 shard=main term=1795500000.3`;
const fence = 'fence shard=main term=1795500000.3';

describe('create', () => {
  test('shows the term first, and says all that a guest is made of', async () => {
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: 'created\n' }));

    await hypervisor.create(bootOrder(web3), never);

    expect(server.commands[0]).toBe(fence);
    expect(server.commands[1]).toMatch(
      new RegExp(
        `^create ${tenant} image=site@2026-11-01 disk=file:/srv/images/site.img kernel=/srv/images/vmlinuz ramdisk=/srv/images/initrd type=pv memory=512 vcpus=1 disk-mib=4096 mac=00:16:3e:4d:00:67 bridge=xenbr0 ip=10.77.0.103 gateway=10.77.0.254 prefix=24 hash=[0-9a-f]{16}$`,
      ),
    );
  });

  test('shows a term once', async () => {
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: '' }));

    await hypervisor.create(bootOrder(web3), never);
    await hypervisor.create(bootOrder('news-web-4'), never);
    await hypervisor.create(
      bootOrder('news-web-5', { term: { createdAtSeconds: 1_795_500_000, transitions: 4 } }),
      never,
    );

    expect(server.commands.map((command) => command.split(' ')[0])).toEqual([
      'fence',
      'create',
      'create',
      'fence',
      'create',
    ]);
  });

  test('shows the term again, once, to a host that has forgotten it', async () => {
    let refusals = 1;
    const forgetful: CommandHandler = (_command, channel) => {
      answer(channel, refusals > 0 ? refuse(5, 'not-fenced') : {});
      refusals -= 1;
    };
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: forgetful }));

    await hypervisor.create(bootOrder(web3), never);
    expect(server.commands.map((command) => command.split(' ')[0])).toEqual([
      'fence',
      'create',
      'fence',
      'create',
    ]);

    refusals = Number.POSITIVE_INFINITY;
    const failure = await failureOf(hypervisor.create(bootOrder('news-web-4'), never));
    expect(failure).toBeInstanceOf(PreconditionError);
    expect(server.commands).toHaveLength(7);
  });

  test('is not sent where a newer leader was', async () => {
    const { server, hypervisor } = await startHost(byVerb({ fence: refuse(5, 'stale-term') }));

    const failure = await failureOf(hypervisor.create(bootOrder(web3), never));

    expect(failure).toBeInstanceOf(PreconditionError);
    expect(failure.message).toContain('a newer leader has shown its term');
    expect(server.commands).toEqual([fence]);
  });

  test('is as good as not sent when the answer to its fence was lost', async () => {
    const { server, hypervisor } = await startHost(
      byVerb({ fence: () => server.reset(), create: '' }),
    );

    expect(await failureOf(hypervisor.create(bootOrder(web3), never))).toBeInstanceOf(
      UnreachableError,
    );
  });

  test('asks a guest to use DHCP by saying no address', async () => {
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: '' }), {
      network: { bridge: 'br0', addressing: 'dhcp', gateway: '10.77.0.254', prefixLength: 24 },
    });

    await hypervisor.create(bootOrder(web3), never);

    expect(server.commands[1]).toMatch(/ bridge=br0 hash=[0-9a-f]{16}$/);
  });

  test('has a hash of what the guest sees, and not of who it is', async () => {
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: '' }));
    await hypervisor.create(bootOrder(web3), never);
    await hypervisor.create(bootOrder(web3, { bornMs: 5 }), never);
    await hypervisor.create(bootOrder(web3, { memoryMiB: 1024 }), never);

    const [first, second, third] = server.commands.slice(1).map((text) => text.split('hash=')[1]);

    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  test.each([
    ['another version', { imageVersion: '2026-12-01' }, /no image site@2026-12-01.*2026-11-01/],
    ['another image', { imageName: 'shop' }, /no image shop@2026-11-01: the config does not have/],
    ['a name that cannot be said', { name: 'a b' }, /cannot be said to a dom0/],
  ])('of %s is refused before anything is sent', async (_situation, change, message) => {
    const { server, hypervisor } = await startHost(byVerb({ fence: '', create: '' }));

    const failure = await failureOf(hypervisor.create(bootOrder(web3, change), never));

    expect(failure).toBeInstanceOf(RefusedError);
    expect(failure.message).toMatch(message);
    expect(server.commands.some((command) => command.startsWith('create'))).toBe(false);
  });

  test.each([
    [4, 'no-memory', RefusedError],
    [4, 'no-bridge', RefusedError],
    [3, 'name-taken', ConflictError],
    [5, 'busy', PreconditionError],
    [6, 'xl-failed', OutcomeUnknownError],
    [2, 'bad-value', RefusedError],
  ])('answered by exit %i and %s', async (code, word, errorClass) => {
    const { hypervisor } = await startHost(byVerb({ fence: '', create: refuse(code, word) }));

    const failure = await failureOf(hypervisor.create(bootOrder(web3), never));

    expect(failure).toBeInstanceOf(errorClass);
    expect(failure.message).toMatch(`xen-1: create ${web3}: ${word}: so it is; `);
  });
});

describe('an order whose answer is lost', () => {
  test('after it was carried out: the guest is there at the next look', async () => {
    let guests: { name: string }[] = [];
    const { server, hypervisor } = await startHost(
      byVerb({
        fence: '',
        create: () => {
          guests = [{ name: web3 }];
          server.reset();
        },
        inspect: (_command, channel) =>
          answer(channel, { stdout: inspectText([nodeLine(web3)], guests) }),
      }),
    );

    const failure = await failureOf(hypervisor.create(bootOrder(web3), never));
    expect(failure).toBeInstanceOf(OutcomeUnknownError);

    // The reset is noticed here some moments after it.
    const snapshot = await eventually(() => hypervisor.inspect(never));
    expect(snapshot.domains).toMatchObject([
      { name: web3, uuid: uuidOf(web3), bornMs: 1_795_501_400_000, state: 'running' },
    ]);
  });

  test.each<[string, CommandHandler]>([
    ['a reset before it was carried out', () => undefined],
    ['exit 255', (_command, channel) => answer(channel, { code: 255 })],
    ['garbage', (_command, channel) => answer(channel, { code: 1, stderr: '\u0000garbage' })],
    [
      'half a line',
      (_command, channel) => answer(channel, { code: 4, stderr: 'rackfire-dom0: no-m' }),
    ],
  ])('by %s has an unknown outcome', async (situation, create) => {
    const { server, hypervisor } = await startHost(
      byVerb({
        fence: '',
        create: (command, channel) => {
          create(command, channel);
          if (situation.includes('reset')) {
            server.reset();
          }
        },
      }),
    );

    expect(await failureOf(hypervisor.create(bootOrder(web3), never))).toBeInstanceOf(
      OutcomeUnknownError,
    );
  });

  test('because the host hangs is given up in its time', async () => {
    const clock = new TestClock();
    const { server, hypervisor } = await startHost(byVerb({ destroy: () => undefined }), { clock });

    const failing = failureOf(hypervisor.destroy(domainRef(web3), never));
    await eventually(() => expect(server.commands).toHaveLength(1));
    await clock.step(hypervisor.pace.actWithinMs);

    expect(await failing).toBeInstanceOf(OutcomeUnknownError);
  });
});

describe('inspect', () => {
  test.each<[string, CommandHandler, RegExp]>([
    [
      'half an answer',
      (_command, channel) => answer(channel, { stdout: 'rackfire-dom0 1\n' }),
      /cut off/,
    ],
    ['a refusal', (_command, channel) => answer(channel, refuse(2, 'bad-request')), /install the/],
    [
      'no installation, as an older wrapper has it',
      (_command, channel) =>
        answer(channel, { stdout: inspectText([]).replace(/^installation .*\n/m, '') }),
      /does not say its installation; install the one of this release$/,
    ],
    [
      'no wrapper at all',
      (_command, channel) => answer(channel, { code: 127, stderr: 'inspect: not found' }),
      /inspect: not found.*forced command/,
    ],
  ])('with %s says what to do', async (_situation, inspect, message) => {
    const { hypervisor } = await startHost(byVerb({ inspect }));

    const failure = await failureOf(hypervisor.inspect(never));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toMatch(/^xen-1: inspect: /);
    expect(failure.message).toMatch(message);
  });

  test('of a host of another installation is refused: what is booted there would never be known as ours', async () => {
    const other = await startHost(byVerb({ inspect: inspectText([], [], 'other') }));
    const ours = await startHost(byVerb({ inspect: inspectText([]) }));

    const failure = await failureOf(other.hypervisor.inspect(never));

    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toMatch(
      /^xen-1: INSTALLATION in dom0.conf there is other, and not news/,
    );
    await expect(ours.hypervisor.inspect(never)).resolves.toMatchObject({ domains: [] });
  });

  test('A host that hangs is given up after 15 s and delays no other', async () => {
    const clock = new TestClock();
    const hanging = await startHost(byVerb({ inspect: () => undefined }), { clock });
    const well = await startHost(byVerb({ inspect: inspectText([]) }), { host: 'xen-2' });

    const failing = failureOf(hanging.hypervisor.inspect(never));
    await eventually(() => expect(hanging.server.commands).toHaveLength(1));
    await expect(well.hypervisor.inspect(never)).resolves.toMatchObject({ domains: [] });
    await clock.step(15_000);

    expect((await failing).message).toBe(
      'xen-1 did not answer (not within 15000 ms); it is asked again',
    );
  });
});

describe('pause, save and destroy', () => {
  test('name one tenant of a name', async () => {
    const { server, hypervisor } = await startHost(byVerb({ pause: '', save: '', destroy: '' }));

    await hypervisor.pause(domainRef(web3), never);
    await hypervisor.save(domainRef(web3), never);
    await hypervisor.destroy(domainRef(web3), never);

    expect(server.commands).toEqual([
      `pause ${tenant}`,
      `save ${tenant}`,
      `destroy ${tenant} deadline=60`,
    ]);
  });

  test.each([
    ['pause', 5, 'not-there', PreconditionError],
    ['save', 4, 'save-failed', RefusedError],
    ['destroy', 3, 'not-ours', ConflictError],
    ['destroy', 6, 'destroy-failed', OutcomeUnknownError],
  ] as const)('%s answered by exit %i and %s', async (verb, code, word, errorClass) => {
    const { hypervisor } = await startHost(byVerb({ [verb]: refuse(code, word) }));

    expect(await failureOf(hypervisor[verb](domainRef(web3), never))).toBeInstanceOf(errorClass);
  });
});
