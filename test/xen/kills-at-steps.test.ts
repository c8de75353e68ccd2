/** Rackfire is killed at each step of a boot and of a teardown, and another one is started in the same world. */

import { describe, expect, test } from 'vitest';
import type { LineMatch, ServiceProcess } from '../weather/service-process.ts';
import { startWrappedSite, type WrappedPlan, type WrappedSite } from './wrapped-site.ts';

const TEST_DEADLINE_MS = 120_000;
/** What comes and goes beside the first one. */
const SECOND = 'news-web-2';

/** One is in service, and two are needed. */
const BOOT: WrappedPlan = { minNodes: 2, maxNodes: 3, startNodes: 1 };
/** Two are in service, and nobody visits them. */
const TEARDOWN: WrappedPlan = { minNodes: 1, maxNodes: 2, startNodes: 2 };

/** A moment in the life of a Rackfire. */
interface Moment {
  readonly reached: (service: ServiceProcess) => Promise<unknown>;
  /** What the world does when the Rackfire is dead, and then when the next one has looked at it. */
  readonly afterDeath?: () => void | Promise<void>;
  readonly afterLook?: () => void | Promise<void>;
  /** Instead of that: who was at work there was killed, too. */
  readonly afterPowerCut?: () => Promise<void>;
}

/** Made before Rackfire is started. */
type Arm = (site: WrappedSite) => Moment;

/** HAProxy does not hear of it. */
const beforeServerIs =
  (state: string): Arm =>
  ({ gate }) => {
    const caught = gate.catch(`set server news-web/${SECOND} state ${state}`);
    return { reached: () => caught, afterDeath: () => gate.drop() };
  };

const afterAction = (action: string): Arm =>
  said(({ msg, action: done, node }) => {
    return msg === 'action done' && done === action && node === SECOND;
  });

function said(match: LineMatch): Arm {
  return () => ({ reached: (service) => service.told(match) });
}

/** The host does not hear of it. */
const beforeCommand =
  (verb: string): Arm =>
  (site) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    site.onCommand = (command) => {
      if (!command.startsWith(`${verb} `)) {
        return 'carried out';
      }
      site.onCommand = () => 'carried out';
      resolve();
      return 'lost';
    };
    return { reached: () => promise };
  };

/** The host has done it, and Rackfire does not hear of that. */
const afterCommand =
  (verb: string): Arm =>
  (site) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    site.onCommand = (command) => {
      if (!command.startsWith(`${verb} `)) {
        return 'carried out';
      }
      site.onCommand = () => 'carried out';
      site.onCarriedOut = (ended) => {
        if (ended === command) {
          resolve();
        }
      };
      return 'not answered';
    };
    return { reached: () => promise };
  };

/** The host is about this command, for the n-th time. */
const atPoint =
  (point: string, nth = 1): Arm =>
  ({ dom0 }) => {
    const hold = dom0.hold(point);
    return {
      reached: async () => {
        for (let left = nth; left > 1; left -= 1) {
          await hold.reached();
          await hold.next();
        }
        await hold.reached();
      },
      afterLook: () => hold.release(),
      afterPowerCut: () => hold.forget(),
    };
  };

interface Row {
  readonly when: string;
  readonly arm: Arm;
  /** What there is of the node at that moment: the row is about the step that it says. */
  readonly there: string;
}

const BEFORE_THE_BIRTH: readonly Row[] = [
  { when: 'before the server is drained', arm: beforeServerIs('drain'), there: '' },
  { when: 'after the drain, before fence', arm: beforeCommand('fence'), there: '' },
  { when: 'after fence, before create', arm: beforeCommand('create'), there: '' },
];

/** The wrapper goes on without Rackfire. The term takes the first `mv`, the mark the second. */
const AFTER_THE_BIRTH: readonly Row[] = [
  { when: 'while the mark is written', arm: atPoint('mv', 2), there: 'half a mark' },
  { when: 'when the mark is written', arm: atPoint('cp'), there: 'mark' },
  { when: 'while the disk is copied', arm: atPoint('truncate'), there: 'mark, half a disk' },
  { when: 'when the disk is copied', arm: atPoint('xl-create'), there: 'mark, disk' },
  {
    when: 'while xl makes the domain',
    arm: atPoint('xl-create-building'),
    there: 'mark, disk, domain',
  },
  {
    when: 'when the domain has its memory',
    arm: atPoint('xl-create-built'),
    there: 'mark, disk, domain',
  },
  { when: 'when xl is done', arm: atPoint('xl-create-done'), there: 'mark, disk, domain' },
  {
    when: 'when create is done and not answered',
    arm: afterCommand('create'),
    there: 'mark, disk, domain',
  },
  {
    when: 'when it is made and not yet healthy',
    arm: (site) => {
      site.unhealthy.add(SECOND);
      const moment = afterAction('boot')(site);
      return { ...moment, afterLook: () => void site.unhealthy.delete(SECOND) };
    },
    there: 'mark, disk, domain',
  },
  {
    when: 'when it is healthy, not yet admitted',
    arm: beforeServerIs('ready'),
    there: 'mark, disk, domain',
  },
  {
    when: 'when the node is just admitted',
    arm: afterAction('admit'),
    there: 'mark, disk, domain',
  },
];

const WHILE_IT_GOES: readonly Row[] = [
  {
    when: 'when its server is drained',
    // Who kills may be later than the next steps of Rackfire; no host hears of them.
    arm: (site) => {
      site.onCommand = (command) => (command.startsWith('destroy ') ? 'lost' : 'carried out');
      const afterDeath = (): void => {
        site.onCommand = () => 'carried out';
      };
      return { ...afterAction('drain')(site), afterDeath };
    },
    there: 'mark, disk, domain',
  },
  {
    when: 'in maintenance, before destroy',
    arm: beforeCommand('destroy'),
    there: 'mark, disk, domain',
  },
  { when: 'while it is shut down', arm: atPoint('xl-shutdown'), there: 'mark, disk, domain' },
  {
    when: 'when its domain is gone, its disk not',
    arm: atPoint('rm', 2),
    there: 'mark, disk',
  },
  { when: 'when its disk is gone, its mark not', arm: atPoint('rm', 3), there: 'mark' },
  {
    when: 'when destroy is done and not answered',
    arm: afterCommand('destroy'),
    there: '',
  },
];

/** What was begun is never gone on with: its session has lost its power. */
const CUTS_IN_A_BOOT = AFTER_THE_BIRTH.slice(2, 6);
const CUTS_OF_THE_CONNECTION = [1, 2, 4, 6].flatMap((index) => AFTER_THE_BIRTH[index] ?? []);
const CUTS_IN_A_TEARDOWN = WHILE_IT_GOES.slice(3, 5);

/** Rackfire dies at this moment. @returns The next one, which has looked at what was left. */
async function dieAndStartAgain(
  site: WrappedSite,
  { arm, there }: Row,
  isPowerCut: boolean,
): Promise<ServiceProcess> {
  const moment = arm(site);
  const first = await site.startService();
  await moment.reached(first);
  await first.kill();
  expect(await site.remains(SECOND), 'the step').toBe(there);
  await moment.afterDeath?.();
  if (isPowerCut) {
    site.cutPower();
    await moment.afterPowerCut?.();
  }
  const looked = site.nextLook();
  const next = await site.startService();
  await looked;
  if (!isPowerCut) {
    await moment.afterLook?.();
  }
  return next;
}

/** Nothing but these nodes is there, also after one more look, and when all that Rackfire is about has ended. */
async function expectNoMore(
  site: WrappedSite,
  service: ServiceProcess,
  nodes: readonly string[],
): Promise<void> {
  await site.untilNothingLeftBut(nodes);
  await site.nextLook();
  await service.stop();
  expect(service.exitCode).toBe(0);
  await site.untilNothingLeftBut(nodes);
  expect(site.domains().map(({ name }) => name)).toEqual(nodes);
  expect([...site.violations], 'what must never happen').toEqual([]);
}

/** A test with a site of its own; a failure tells all that is needed to find out why. */
async function withSite(
  plan: WrappedPlan,
  run: (site: WrappedSite) => Promise<void>,
): Promise<void> {
  await using site = await startWrappedSite(plan);
  try {
    await run(site);
  } catch (error) {
    if (error instanceof Error) {
      error.message += `\n\n${await site.describe()}`;
    }
    throw error;
  }
}

const isBoot: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'boot';

describe.concurrent('Rackfire is killed in the middle of a boot', {
  timeout: TEST_DEADLINE_MS,
}, () => {
  test.each(BEFORE_THE_BIRTH)('$when: the next one boots the node', async (row) => {
    await withSite(BOOT, async (site) => {
      const next = await dieAndStartAgain(site, row, false);
      await site.untilInService(['news-web-1', SECOND]);
      await expectNoMore(site, next, ['news-web-1', SECOND]);
      expect(next.found(isBoot)).toHaveLength(1);
      expect(await site.domainsMade()).toBe(2);
    });
  });

  test.each(AFTER_THE_BIRTH)('$when: the node comes up anyway and is adopted', async (row) => {
    await withSite(BOOT, async (site) => {
      const next = await dieAndStartAgain(site, row, false);
      await site.untilInService(['news-web-1', SECOND]);
      await expectNoMore(site, next, ['news-web-1', SECOND]);
      expect(next.found(isBoot)).toEqual([]);
      expect(next.found('boot failed')).toEqual([]);
      expect(await site.domainsMade()).toBe(2);
    });
  });

  test.each(CUTS_IN_A_BOOT)(
    '$when, and the wrapper with it: what is left is destroyed, and a node booted anew',
    async (row) => {
      await withSite(BOOT, async (site) => {
        const next = await dieAndStartAgain(site, row, true);
        const nodes = await site.untilConverged(2);
        await expectNoMore(site, next, nodes);
        expect(next.found(isBoot)).toHaveLength(1);
      });
    },
  );
});

describe.concurrent('Rackfire is killed in the middle of a teardown', {
  timeout: TEST_DEADLINE_MS,
}, () => {
  test.each(WHILE_IT_GOES)('$when: the next one takes it to its end', async (row) => {
    await withSite(TEARDOWN, async (site) => {
      const next = await dieAndStartAgain(site, row, false);
      await site.untilInService(['news-web-1']);
      await expectNoMore(site, next, ['news-web-1']);
      expect(next.found(isBoot)).toEqual([]);
      expect(await site.domainsMade()).toBe(2);
    });
  });

  test.each(CUTS_IN_A_TEARDOWN)(
    '$when, and the wrapper with it: what is left is destroyed',
    async (row) => {
      await withSite(TEARDOWN, async (site) => {
        const next = await dieAndStartAgain(site, row, true);
        await site.untilInService(['news-web-1']);
        await expectNoMore(site, next, ['news-web-1']);
        expect(next.found(isBoot)).toEqual([]);
        expect(await site.domainsMade()).toBe(2);
      });
    },
  );
});

/** The connection is cut there, and made anew before the host goes on. @returns The same Rackfire. */
async function cutTheConnection(
  site: WrappedSite,
  { arm, there }: Pick<Row, 'arm' | 'there'>,
): Promise<ServiceProcess> {
  const moment = arm(site);
  const service = await site.startService();
  await moment.reached(service);
  expect(await site.remains(SECOND), 'the step').toBe(there);
  const looked = site.nextLook();
  site.ssh.reset();
  await looked;
  await moment.afterLook?.();
  return service;
}

describe.concurrent('The SSH connection is cut during create', {
  timeout: TEST_DEADLINE_MS,
}, () => {
  test('before the host has heard of it: another number is taken, and one node made', async () => {
    await withSite(BOOT, async (site) => {
      const service = await cutTheConnection(site, { arm: beforeCommand('create'), there: '' });
      await expectNoMore(site, service, await site.untilConverged(2));
      expect(service.found(isBoot)).toHaveLength(2);
      expect(await site.domainsMade()).toBe(2);
    });
  });

  test.each(CUTS_OF_THE_CONNECTION)(
    '$when: the node comes up anyway and is adopted',
    async (row) => {
      await withSite(BOOT, async (site) => {
        const service = await cutTheConnection(site, row);
        await site.untilInService(['news-web-1', SECOND]);
        await expectNoMore(site, service, ['news-web-1', SECOND]);
        expect(service.found(isBoot)).toHaveLength(1);
        expect(service.found('boot failed')).toEqual([]);
        expect(await site.domainsMade()).toBe(2);
      });
    },
  );
});

describe.concurrent('Every create fails', { timeout: TEST_DEADLINE_MS }, () => {
  test('as often as the breaker allows, then it is said, and the old fleet is as it was', async () => {
    await withSite({ ...BOOT, maxNodes: 6 }, async (site) => {
      const [first] = site.domains();
      const stderr = 'libxl: error: libxl_create.c:1921:domcreate_devmodel_started: Domain 2:odd';
      await site.dom0.fail('xl-create-built', 3, `${stderr}\n`);
      const service = await site.startService();
      const told = await service.told(({ msg, why }) => {
        return msg === 'needed nodes cannot be booted' && why === 'breaker';
      });
      expect(told['nodes']).toBe(1);
      await site.untilInService(['news-web-1']);
      await expectNoMore(site, service, ['news-web-1']);
      expect(site.orders('create').slice(1)).toHaveLength(3);
      expect(service.found('boot failed')).toHaveLength(3);
      expect(site.domains()).toEqual([first]);
    });
  });
});
