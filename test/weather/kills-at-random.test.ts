import { randomInt } from 'node:crypto';
import { createSystemClock } from '../../src/control/clock.ts';
import { createRandom } from '../../src/embedded/random.ts';
import {
  CALM_RPS,
  expectReloadChangesNothing,
  KillStorm,
  killStorm,
  STORM_RPS,
} from './kill-storm.ts';
import { weather } from './weather.ts';

const KILLS = 20;
/** As long as a storm takes to be met, or a calm to be believed and acted on, and a little more. */
const LONGEST_LIFE_MS = 3_000;
/** Lives in a storm, then lives in the calm after it: scale-in needs the longer ones. */
const LOADS = [STORM_RPS, STORM_RPS, CALM_RPS, CALM_RPS, CALM_RPS];

/** `RACKFIRE_WEATHER_SEED=…` repeats a run, as far as the machine's own pace allows. */
const seed = Number(process.env['RACKFIRE_WEATHER_SEED'] ?? randomInt(1_000_000));

weather(
  'kill -9 of Rackfire at 20 random moments while storms come and go: no node is lost or made twice',
  killStorm(1_000),
  async (site) => {
    process.stdout.write(`RACKFIRE_WEATHER_SEED=${seed}\n`);
    const random = createRandom(seed);
    const clock = createSystemClock();
    const storm = new KillStorm(site);
    const load = site.load(CALM_RPS);
    for (let kill = 0; kill < KILLS; kill += 1) {
      load.change(LOADS[kill % LOADS.length] ?? CALM_RPS);
      const service = await site.startService();
      await clock.sleep(random() * LONGEST_LIFE_MS, AbortSignal.timeout(2 * LONGEST_LIFE_MS));
      await service.kill();
      storm.judge(service);
    }
    const last = await site.startService();
    await storm.shrunk();
    await load.end();
    await last.kill();
    await expectReloadChangesNothing(site);
  },
);
