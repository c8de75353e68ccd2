import { expect, test } from 'vitest';
import { ApiLab } from './api-lab.ts';

interface Explanation {
  readonly source: string;
  readonly decision: { readonly at: string; readonly needNodes: number };
  readonly counterfactuals: { readonly scaleIn: { readonly at: string | null } };
  readonly whatIf: readonly string[];
}

interface Decisions {
  readonly decisions: readonly {
    readonly at: string;
    readonly direction: string;
    readonly actions: readonly { readonly kind: string; readonly node: string }[];
  }[];
}

const EXPLANATION = '/api/v1/tiers/news/web/explanation';
const DECISIONS = '/api/v1/tiers/news/web/decisions';

async function explained(lab: ApiLab, at?: string | number): Promise<Explanation> {
  const query = at === undefined ? '' : `?at=${at}`;
  const answer = await lab.get(`${EXPLANATION}${query}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.json as Explanation;
}

test('the latest decision is explained as it is, and an earlier one as it was', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100 });
  const thenMs = lab.clock.wallMs();
  lab.world.rps = 400;
  await lab.clock.step(20_000);
  expect(await explained(lab)).toMatchObject({
    source: 'latest',
    decision: { needNodes: 5, desiredNodes: 5 },
  });
  expect(await explained(lab, thenMs)).toMatchObject({
    source: 'journal',
    decision: { needNodes: 1.25, desiredNodes: 2 },
  });
});

test('a moment is said in UTC, in any other zone, or in milliseconds: it is the same one', async () => {
  await using lab = await ApiLab.startSettled();
  await lab.clock.step(30_000);
  const wallMs = lab.clock.wallMs() - 10_000;
  const utc = new Date(wallMs).toISOString();
  const east = new Date(wallMs + 7_200_000).toISOString().replace('Z', '+02:00');
  const expected = (await explained(lab, wallMs)).decision.at;
  expect(Date.parse(expected)).toBeLessThanOrEqual(wallMs);
  for (const at of [utc, east, encodeURIComponent(east)]) {
    expect((await explained(lab, at)).decision.at).toBe(expected);
  }
});

test.each([
  'yesterday',
  '2026-11-24',
  '2026-11-24T14:07:10',
  '',
  '-5',
  '1e3',
  '9'.repeat(15),
  'NaN',
])('at=%s is no moment, and that is said', async (at) => {
  await using lab = await ApiLab.startSettled();
  const answer = await lab.get(`${EXPLANATION}?at=${at}`);
  expect(answer).toMatchObject({ status: 400, json: { error: { code: 'invalid-request' } } });
  expect(answer.text).toContain('at: expected a time such as 2026-11-24T14:07:10Z');
});

test('times are those of the wall clock when it was decided, also after that was set', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100, nodes: 4 });
  const wallMs = lab.clock.wallMs();
  const { counterfactuals, decision, whatIf } = await explained(lab, wallMs);
  const scaleInAt = counterfactuals.scaleIn.at;
  // Scale-in waits for 30 s of known signals, which is a little after the start.
  const waitsMs = Date.parse(scaleInAt ?? '') - wallMs;
  expect(waitsMs).toBeGreaterThan(20_000);
  expect(waitsMs).toBeLessThan(30_000);
  expect(whatIf.join(' ')).toContain(scaleInAt);

  lab.clock.jumpWall(3_600_000);
  await lab.clock.step(5_000);
  expect((await explained(lab, wallMs)).decision.at).toBe(decision.at);
  expect((await explained(lab, wallMs)).counterfactuals.scaleIn.at).toBe(scaleInAt);
  const now = (await explained(lab)).decision.at;
  expect(lab.clock.wallMs() - Date.parse(now)).toBeLessThan(2_000);
});

test('before the first tick there is nothing to explain yet, and before the first kept one neither', async () => {
  await using lab = await ApiLab.start();
  const early = await lab.get(EXPLANATION);
  expect(early).toMatchObject({ status: 404, json: { error: { code: 'nothing-kept' } } });
  expect(early.text).toContain('has not been decided yet');
  await lab.clock.step(5_000);
  const past = await lab.get(`${EXPLANATION}?at=2020-01-01T00:00:00Z`);
  expect(past).toMatchObject({ status: 404, json: { error: { code: 'nothing-kept' } } });
  expect(past.text).toContain('at or before 2020-01-01T00:00:00.000Z');
});

test('decisions of a time, with what was begun; the latest so many', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100 });
  const sinceMs = lab.clock.wallMs();
  lab.world.rps = 400;
  await lab.clock.step(5_000);
  const untilMs = lab.clock.wallMs();
  await lab.clock.step(60_000);
  const range = `since=${sinceMs}&until=${untilMs}`;
  const { decisions } = (await lab.get(`${DECISIONS}?${range}`)).json as Decisions;
  for (const { at } of decisions) {
    expect(Date.parse(at)).toBeGreaterThanOrEqual(sinceMs);
    expect(Date.parse(at)).toBeLessThanOrEqual(untilMs);
  }
  const out = decisions.filter(({ direction }) => direction === 'out');
  expect(out.flatMap(({ actions }) => actions)).toMatchObject([
    { kind: 'boot', node: 'news-web-3' },
    { kind: 'boot', node: 'news-web-4' },
    { kind: 'boot', node: 'news-web-5' },
  ]);
  const last = (await lab.get(`${DECISIONS}?${range}&limit=2`)).json as Decisions;
  expect(last.decisions).toEqual(decisions.slice(-2));
});

test('decisions are those of the last hour unless asked otherwise', async () => {
  await using lab = await ApiLab.startSettled();
  lab.journalPart.kept[0] = { ...lab.journalPart.kept[0]!, atMs: lab.clock.wallMs() - 3_600_001 };
  const count = lab.journalPart.kept.length;
  const { decisions } = (await lab.get(`${DECISIONS}?limit=1000`)).json as Decisions;
  expect(decisions).toHaveLength(count - 1);
});

test('a defect ends one answer, and nothing else', async () => {
  await using lab = await ApiLab.startSettled();
  lab.journalPart.decisionAt = () => Promise.reject(new TypeError('this should not happen'));
  expect(await lab.get(`${EXPLANATION}?at=0`)).toMatchObject({
    status: 500,
    json: { error: { code: 'internal', message: 'a defect of Rackfire: this should not happen' } },
  });
  expect((await lab.get(EXPLANATION)).status).toBe(200);
});
