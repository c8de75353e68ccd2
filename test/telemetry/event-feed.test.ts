import { expect, test } from 'vitest';
import { EventFeed, type FedEvent } from '../../src/telemetry/event-feed.ts';

function append(feed: EventFeed, count: number): void {
  for (let index = 0; index < count; index += 1) {
    feed.append({ atMs: index, level: 'info', msg: 'action done', fields: { index } });
  }
}

function sequences(events: readonly FedEvent[]): readonly number[] {
  return events.map(({ sequence }) => sequence);
}

test('events are held as they were said, numbered from 1, the oldest first', () => {
  const feed = new EventFeed();
  expect(feed.latest()).toEqual([]);
  append(feed, 2);
  expect(feed.latest()).toEqual([
    { atMs: 0, level: 'info', msg: 'action done', fields: { index: 0 }, sequence: 1 },
    { atMs: 1, level: 'info', msg: 'action done', fields: { index: 1 }, sequence: 2 },
  ]);
});

test('who has seen some gets the others', () => {
  const feed = new EventFeed();
  append(feed, 5);
  expect(sequences(feed.latest(3))).toEqual([4, 5]);
  expect(feed.latest(5)).toEqual([]);
});

test('the latest 500 are held, however many there were', () => {
  const feed = new EventFeed();
  append(feed, 500);
  expect(feed.latest()).toHaveLength(500);
  append(feed, 1_234);
  const held = sequences(feed.latest());
  expect([held.length, held[0], held.at(-1)]).toEqual([500, 1_235, 1_734]);
});

test('a follower sees each event from then on, until it has had enough', () => {
  const feed = new EventFeed();
  const seen: FedEvent[] = [];
  const others: FedEvent[] = [];
  append(feed, 1);
  const leave = feed.follow((event) => seen.push(event));
  feed.follow((event) => others.push(event));
  append(feed, 2);
  leave();
  append(feed, 1);
  expect(sequences(seen)).toEqual([2, 3]);
  expect(sequences(others)).toEqual([2, 3, 4]);
});

test('a follower that leaves while it is told keeps nothing from the others', () => {
  const feed = new EventFeed();
  const seen: string[] = [];
  const leave = feed.follow(({ sequence }) => {
    seen.push(`first ${sequence}`);
    leave();
  });
  feed.follow(({ sequence }) => seen.push(`second ${sequence}`));
  append(feed, 2);
  expect(seen).toEqual(['first 1', 'second 1', 'second 2']);
});
