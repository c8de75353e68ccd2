import { randomInt } from 'node:crypto';
import { createSystemClock } from '../../src/control/clock.ts';
import { createRandom } from '../../src/embedded/random.ts';
import {
  CALM_RPS,
  expectReloadChangesNothing,
  KillStorm,
  killStorm,
  STEADY_NODES,
  STORM_NODES,
  STORM_RPS,
} from './kill-storm.ts';
import { weather } from './weather.ts';

const KILLS = 20;
/** As long as a storm takes to be met, or a calm to be believed and acted on. */
const LONGEST_LIFE_MS = 2_400;
/** As long as nodes take to boot and to be admitted, or to be drained and destroyed. */
const LONGEST_ACTING_MS = 1_400;

/** A drain waits for a request that takes a second: there is something to be killed in. */
const SLOW_NODES = { embedded: { serviceTime: '1s', slots: 40 } };
const PLAN = killStorm(1_000);

/** `RACKFIRE_WEATHER_SEED=…` repeats a run, as far as the machine's own pace allows. */
const seed = Number(process.env['RACKFIRE_WEATHER_SEED'] ?? randomInt(1_000_000));

weather(
  'kill -9 of Rackfire at 20 random moments while storms come and go: no node is lost or made twice',
  {
    ...PLAN,
    hosts: [SLOW_NODES, SLOW_NODES],
    tier: { ...PLAN.tier, maxConnections: SLOW_NODES.embedded.slots },
  },
  async (site) => {
    process.stdout.write(`RACKFIRE_WEATHER_SEED=${seed}\n`);
    const random = createRandom(seed);
    const clock = createSystemClock();
    const storm = new KillStorm(site);
    const load = site.load(CALM_RPS);
    for (let kill = 0; kill < KILLS; kill += 1) {
      // As soon as a storm has been met it is over, and the other way round, so that there is always work.
      const nodes = site.ownNodes().filter(({ state }) => state === 'running').length;
      if (nodes <= STEADY_NODES || nodes >= STORM_NODES) {
        load.change(nodes <= STEADY_NODES ? STORM_RPS : CALM_RPS);
      }
      const service = await site.startService();
      const isActing = kill % 2 === 1;
      if (isActing) {
        await service.told('action started');
      }
      const longestMs = isActing ? LONGEST_ACTING_MS : LONGEST_LIFE_MS;
      await clock.sleep(random() * longestMs, AbortSignal.timeout(2 * longestMs));
      await service.kill();
      storm.judge(service);
    }
    load.change(CALM_RPS);
    const last = await site.startService();
    await storm.shrunk();
    await expectReloadChangesNothing(site, last, load);
  },
);
