import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { DecisionsAnswer, ExplanationAnswer } from '../../src/http/explanation-answer.ts';
import { takenToServe } from './explained.ts';
import { readPage } from './service-pages.ts';
import { TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const POLL_MS = 50;

weather(
  'a storm in good weather: as many nodes come as there may be, and go again when it is over; and why is told afterwards',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await service.told('source answers');
    load.change(6 * TARGET_RPS);
    await site.untilConverged(5);
    // The storm asks for six, and the calm for one; what is in the way of that is named.
    await untilExplained(site, 'maximum');
    load.change(0.5 * TARGET_RPS);
    const view = await site.untilConverged(2);
    expect(view.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    await untilExplained(site, 'minimum');
    await load.end();

    const out = await explainLast(site, 'out');
    const outRps = takenToServe(out.steps, TARGET_RPS);
    expect(out.headline).toMatch(
      new RegExp(
        `^news/web scales out from [2-4] to [3-5] nodes: (?:[0-9.]+ rps(?:, (?:with .+|as far as is known),)? need [0-9.]+ nodes at ${outRps} rps each|[0-9]+ waiting requests? asks? for [0-9.]+ nodes)`,
      ),
    );
    expect(stagesOf(out)).toEqual(
      expect.arrayContaining(['signal', 'need', 'recommended', 'action']),
    );

    const back = await explainLast(site, 'in');
    // From where the policies left it, and as soon as two are enough, which may be before one is.
    const backRps = takenToServe(back.steps, TARGET_RPS);
    expect(back.headline).toMatch(
      new RegExp(
        `^news/web scales in from [3-5] to 2 nodes: [0-9.]+ rps(?:, with .+,)? need [01]\\.[0-9]+ nodes at ${backRps} rps each`,
      ),
    );
    expect(back.whatIf.join(' ')).toMatch(
      /Would scale out to [3-5] nodes (?:at|within [0-9]+ (?:s|min) if the rate were) [0-9.]+ rps/,
    );
  },
);

/** The last decision of the journal that changed the count this way, explained. */
async function explainLast(site: WeatherSite, direction: 'out' | 'in'): Promise<ExplanationAnswer> {
  const { decisions } = await readTier<DecisionsAnswer>(site, 'decisions?limit=500');
  const last = decisions.findLast((decision) => decision.direction === direction)!;
  return await readTier(site, `explanation?at=${encodeURIComponent(last.at)}`);
}

/** Waits until this is a step of the latest decision. The count may be reached before the load asks for more than it. */
async function untilExplained(site: WeatherSite, stage: string): Promise<void> {
  while (!stagesOf(await readTier<ExplanationAnswer>(site, 'explanation')).includes(stage)) {
    await sleep(POLL_MS);
  }
}

async function readTier<T>(site: WeatherSite, path: string): Promise<T> {
  const { body } = await readPage(site, `/api/v1/tiers/news/web/${path}`);
  return JSON.parse(body) as T;
}

function stagesOf({ steps }: ExplanationAnswer): readonly string[] {
  return steps.map(({ stage }) => stage);
}
