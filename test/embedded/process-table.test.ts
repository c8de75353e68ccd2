import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMarks, parseNodeProcess, parseStat } from '../../src/embedded/process-table.ts';
import { bootOrder } from './test-host.ts';

const STAT_TAIL =
  'S 6918 6925 6925 0 -1 4194560 2747 0 0 0 1 0 0 0 20 0 7 0 132029 1305776128 10632 18446744073709551615';
const stat = { command: 'rackfire-node', state: 'S', startTicks: 132_029 };

function commandLine(words: readonly string[]): string {
  return words.map((word) => `${word}\0`).join('');
}

describe('parseStat', () => {
  test.each([
    { name: 'node', line: `6925 (node) ${STAT_TAIL}` },
    { name: 'a) b (c) S 1', line: `6925 (a) b (c) S 1) ${STAT_TAIL}` },
  ])('counts the fields from the end of the name: $name', ({ name, line }) => {
    expect(parseStat(line)).toEqual({ command: name, state: 'S', startTicks: 132_029 });
  });

  test.each(['Z', 'X'])('takes a process in state %s for gone', (state) => {
    expect(parseStat(`6925 (node) ${STAT_TAIL.replace('S', state)}`)).toBeUndefined();
  });

  test.each(['', '6925', '6925 (node)', '6925 (node) S 1'])('does not read %j', (line) => {
    expect(parseStat(line)).toBeUndefined();
  });
});

describe('parseNodeProcess', () => {
  const order = bootOrder('news-web-1');
  const marks = formatMarks('example', 'local', order);

  test('finds every mark that was written', () => {
    const words = [
      '/usr/bin/node',
      '--a-flag',
      '/opt/dist/embedded/site.js',
      ...marks,
      '--port=80',
    ];
    expect(parseNodeProcess(7, commandLine(words), stat)).toEqual({
      pid: 7,
      startTicks: 132_029,
      started: true,
      installation: 'example',
      host: 'local',
      name: 'news-web-1',
      uuid: order.uuid,
      state: 'running',
      bornMs: order.bornMs,
      imageVersion: '2026-11-01',
      memoryMiB: 512,
      vcpus: 1,
      diskMiB: 4_096,
    });
  });

  test('reads back any text in a mark', () => {
    const text = fc.string({ minLength: 1 }).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(text, text, text, (installation, host, name) => {
        const words = ['node', '/site.ts', ...formatMarks(installation, host, { ...order, name })];
        expect(parseNodeProcess(7, commandLine(words), stat)).toMatchObject({
          installation,
          host,
          name,
        });
      }),
    );
  });

  test.each([
    { command: 'rackfire-node', state: 'T', shown: 'paused' },
    { command: 'rackfire-node', state: 'R', shown: 'running' },
    { command: 'node', state: 'D', shown: 'running' },
    { command: 'rackfire-stop', state: 'S', shown: 'stopping' },
    { command: 'rackfire-stop', state: 'T', shown: 'stopping' },
  ])('shows $command in state $state as $shown', ({ command, state, shown }) => {
    const words = ['node', '/site.ts', ...marks];
    expect(parseNodeProcess(7, commandLine(words), { ...stat, command, state })?.state).toBe(shown);
  });

  test.each([
    { what: 'an editor', words: ['vi', ...marks] },
    { what: 'a search', words: ['grep', '-r', '--rackfire-installation=example', '/srv/site.ts'] },
    { what: 'a node without a birth', words: ['node', '/site.ts', ...marks.toSpliced(4, 1)] },
    {
      what: 'a node with a wrong size',
      words: ['node', '/site.ts', ...marks.slice(0, 6), '--rackfire-memory-mib=much'],
    },
    { what: 'a process without arguments', words: [] },
  ])('does not take $what for a node', ({ words }) => {
    expect(parseNodeProcess(7, commandLine(words), stat)).toBeUndefined();
  });
});
