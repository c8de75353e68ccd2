/** Whatever was decided can be decided again from the file, to the byte. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ControlEvent, TierTicked } from '../../src/control/events.ts';
import type { KeptDecision } from '../../src/control/ports.ts';
import { EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import type { NodeSighting, Observation } from '../../src/scaler/observation.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { readExactly, writeExactly } from '../../src/store/exact-json.ts';
import { JournalFile } from '../../src/store/journal-file.ts';
import { readDecision } from '../../src/store/records.ts';
import { Lab } from '../control/lab.ts';
import { domainOf, NOW_MS, ok, seen, serverOf, settledAt, SILENT_SERVER } from '../scaler/world.ts';
import { Place, tickOf, WEB } from './rig.ts';

function replay({ tier, mode, observation, memory }: KeptDecision): string {
  return JSON.stringify(tickTier(tier, mode, observation, memory));
}

function textOf({ observation, memory, tick }: TierTicked | KeptDecision): string {
  return JSON.stringify({ observation, memory, tick });
}

test('120 storms, with hosts and a balancer that fail: a thousand decisions, taken from the file', {
  timeout: 120_000,
}, async () => {
  await using place = new Place();
  const subject = place.open();
  const ticks: TierTicked[] = [];
  await using lab = new Lab({
    rps: 150,
    recorder: {
      record: (event: ControlEvent) => {
        if (event.type === 'tier-ticked') {
          subject.wallMs = lab.clock.wallMs();
          subject.journal.appendTick(event);
          ticks.push(event);
        }
      },
    },
  });
  const { world, clock } = lab;
  lab.start();
  for (let wave = 0; wave < 120; wave += 1) {
    for (const rps of [160, 300, 520, 780, 640, 300]) {
      world.rps = rps + wave * 7.3;
      await clock.step(15_000);
    }
    world.hosts[0]!.createFault = wave % 6 === 1 ? 'refuse' : undefined;
    world.hosts[0]!.silent = wave % 6 === 2 ? 'unreachable' : 'no';
    world.balancers[0]!.silent = wave % 6 === 3 ? 'unreachable' : 'no';
    await clock.step(wave % 6 === 3 ? 20_000 : 5_000);
    world.balancers[0]!.silent = 'no';
    if (wave % 6 === 4) {
      world.balancers[0]!.restart();
    }
    world.rps = 150;
    await clock.step(60_000);
  }

  await subject.journal.close();
  const file = JournalFile.openToRead(place.path);
  const range = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER, limit: 1_000 };
  const kept = file.read.decisions(WEB, range).map(readDecision);
  file.close();

  expect(subject.journal.health.droppedRecords).toBe(0);
  expect(kept).toHaveLength(1_000);
  expect(new Set(kept.map(({ tick }) => tick.decision.reason)).size).toBeGreaterThan(4);
  // Now and then, two answers of the balancer are less than a millisecond apart.
  const originals = Map.groupBy(ticks, ({ observation }) => observation.atMs);
  for (const decision of kept) {
    const atThatTime = originals.get(decision.observation.atMs) ?? [];
    expect(atThatTime.map(textOf)).toContain(textOf(decision));
    expect(replay(decision)).toBe(JSON.stringify(decision.tick));
  }
});

const ages = fc.oneof(
  fc.integer({ min: 0, max: 1e9 }),
  fc.double({ min: 0, max: 1e9 }),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY),
);

const nodes: fc.Arbitrary<readonly NodeSighting[]> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[1, 2, 3, 4, 5].flatMap((number) => Object.values(seen).map((make) => make(number))),
      ),
      fc.record({
        number: fc.integer({ min: 1, max: 12 }),
        domains: fc.oneof(
          fc.constant([]),
          ages.map((ageMs) => [domainOf({ ageMs, host: 'null' })]),
        ),
        servers: fc.oneof(
          fc.constant([SILENT_SERVER]),
          fc
            .tuple(ages, ages)
            .map(([sinceChangeMs, sessions]) => [
              serverOf({ admin: 'drain', sinceChangeMs, sessions }),
            ]),
        ),
      }),
    ),
    { maxLength: 8 },
  )
  .map((all) => [...new Map(all.map((node) => [node.number, node])).values()]);

const observations: fc.Arbitrary<Partial<Observation>> = fc.record({
  signals: fc.tuple(ages, ages, ages).map(([rps, requests, used]) => ({
    requestRate: ok(rps),
    queue: ok({ requests, servedRps: rps }),
    slots: ok({ used, total: 40 }),
  })),
  nodes,
  bootTimeMs: fc.oneof(fc.constant(undefined), ages),
  fleetRoom: fc.constantFrom(100, 0, -2),
});

const memories: fc.Arbitrary<TierMemory> = fc.oneof(
  fc.constant(EMPTY_MEMORY),
  fc
    .record({ desiredNodes: fc.nat(12), need: fc.double({ min: 0, max: 12, noNaN: true }) })
    .map(({ desiredNodes, need }) =>
      settledAt(desiredNodes, {
        peaks: [{ atMs: NOW_MS - 3_000, needNodes: need }],
        changes: [{ atMs: NOW_MS - 9_000, nodes: -1 }],
      }),
    ),
);

test('any tick, whatever numbers a broken source gives, is the same after it was written', () => {
  fc.assert(
    fc.property(observations, memories, (changes, memory) => {
      const { tier, mode, observation, tick } = tickOf(changes, memory);
      const text = writeExactly({ observation, memory, tick });

      const read = readExactly<Pick<KeptDecision, 'observation' | 'memory' | 'tick'>>(text);
      const again = tickTier(tier, mode, read.observation, read.memory);

      // Endless ages in the tick among them, which JSON alone would not tell from one another.
      expect(writeExactly(again)).toBe(writeExactly(tick));
      expect(writeExactly(read.tick)).toBe(writeExactly(tick));
    }),
    { numRuns: 2_000 },
  );
});
