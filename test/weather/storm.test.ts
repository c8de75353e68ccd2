import { expect } from 'vitest';
import type { DecisionsAnswer, ExplanationAnswer } from '../../src/http/explanation-answer.ts';
import { readPage } from './service-pages.ts';
import { TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

weather(
  'a storm in good weather: as many nodes come as there may be, and go again when it is over; and why is told afterwards',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await service.told('source answers');
    load.change(6 * TARGET_RPS);
    await site.untilConverged(5);
    load.change(0.5 * TARGET_RPS);
    const view = await site.untilConverged(2);
    expect(view.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    await load.end();

    const out = await explainLast(site, 'out');
    expect(out.headline).toMatch(
      /^news\/web scales out from [2-4] to [3-5] nodes: (?:[0-9.]+ rps(?:, with .+,)? need [0-9.]+ nodes at 30 rps each|[0-9]+ waiting requests? asks? for [0-9.]+ nodes)/,
    );
    // The storm asks for six; what was in the way of more is named.
    expect(stagesOf(out)).toContain(out.decision.desiredNodes === 5 ? 'maximum' : 'scaling-policy');
    expect(stagesOf(out)).toEqual(
      expect.arrayContaining(['signal', 'need', 'recommended', 'action']),
    );

    const back = await explainLast(site, 'in');
    expect(back.headline).toMatch(
      /^news\/web scales in from 3 to 2 nodes: [0-9.]+ rps(?:, with .+,)? need 0\.[0-9]+ nodes at 30 rps each/,
    );
    expect(stagesOf(back)).toContain('minimum');
    expect(back.whatIf.join(' ')).toMatch(
      /Would scale out to [3-5] nodes (?:at|within [0-9]+ s if the rate were) [0-9.]+ rps/,
    );
  },
);

/** The last decision of the journal that changed the count this way, explained. */
async function explainLast(site: WeatherSite, direction: 'out' | 'in'): Promise<ExplanationAnswer> {
  const path = '/api/v1/tiers/news/web';
  const { body } = await readPage(site, `${path}/decisions?limit=500`);
  const { decisions } = JSON.parse(body) as DecisionsAnswer;
  const last = decisions.findLast((decision) => decision.direction === direction)!;
  const answer = await readPage(site, `${path}/explanation?at=${encodeURIComponent(last.at)}`);
  return JSON.parse(answer.body) as ExplanationAnswer;
}

function stagesOf({ steps }: ExplanationAnswer): readonly string[] {
  return steps.map(({ stage }) => stage);
}
