import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseXlInfo } from '../../src/xen/xl-info.ts';
import { parseXlList, parseXlLongList } from '../../src/xen/xl-list.ts';

const head = 'Name                                        ID   Mem VCPUs\tState\tTime(s)\n';

function recorded(name: string): string {
  return readFileSync(new URL(`../fixtures/xl/${name}`, import.meta.url), 'utf8');
}

describe('xl info', () => {
  test('of 4.17.5 says what the host has', () => {
    expect(parseXlInfo(recorded('4.17.5-info.txt'))).toEqual({
      freeMemoryMiB: 1564,
      totalMemoryMiB: 3071,
      cpus: 2,
      xenVersion: '4.17.5',
    });
  });

  test.each([
    ['cut off before the memory', recorded('4.17.5-info.txt').split('free_memory')[0] ?? ''],
    ['empty', ''],
    ['without a number', 'nr_cpus : many\ntotal_memory : 1\nfree_memory : 1\n'],
  ])('%s is no answer', (_situation, text) => {
    expect(() => parseXlInfo(text)).toThrow(/xl info shows no usable/);
  });
});

describe('xl list', () => {
  test('shows guests that run, whichever flag they have', () => {
    expect(parseXlList(recorded('4.17.5-list-two-guests.txt'))).toEqual([
      { name: 'web1', domid: 3, memoryMiB: 128, vcpus: 1, state: 'running' },
      { name: 'pvh1', domid: 5, memoryMiB: 128, vcpus: 1, state: 'running' },
    ]);
  });

  test('of a host without guests is empty', () => {
    expect(parseXlList(recorded('4.17-list-dom0-alone.txt'))).toEqual([]);
  });

  test.each([
    ['a paused guest', recorded('4.17.5-list-one-paused.txt'), ['paused']],
    ['one that has shut down', recorded('4.17-list-shut-down.txt'), ['stopping', 'running']],
    ['one that nobody reaps any more', recorded('4.17-list-zombie-after-save-c.txt'), ['stopping']],
    ['one that has crashed', head + recorded('4.17-rows-crashed.txt'), ['stopping']],
    [
      'one that reboots, line by line as it goes on',
      head + recorded('4.17-rows-rebooting.txt'),
      [
        'stopping',
        'stopping',
        'stopping',
        'being-made',
        'being-made',
        'paused',
        'paused',
        'running',
      ],
    ],
    ['one that is runnable only', `${head}web1   3   128     1     ------       2.7`, ['running']],
    ['one that is dying', `${head}(null)   3   128     1     --ps-d       2.7`, ['stopping']],
    ['one whose CPU time is huge', `${head}web1 3 128 1 -b---- 1234567890.1`, ['running']],
  ])('shows the state of %s', (_situation, text, states) => {
    expect(parseXlList(text).map((row) => row.state)).toEqual(states);
  });

  test('shows a name that is longer than its column', () => {
    const name = `${'n'.repeat(40)}-web-12`;

    const rows = parseXlList(`${head}${name}     3   128     1     -b----       2.7\n`);

    expect(rows).toMatchObject([{ name, domid: 3, memoryMiB: 128 }]);
  });

  test.each([
    ['a line that is cut off', `${head}web1                                3   12`],
    ['no head', 'web1   3   128     1     -b----      44.2'],
    ['nothing', ''],
  ])('with %s is no answer', (_situation, text) => {
    expect(() => parseXlList(text)).toThrow(/^xl list /);
  });
});

describe('xl list -l', () => {
  const text = recorded('4.17.5-list-long-two-guests.txt');

  test('of 4.17.5 shows guests by the outer domid, without the management domain', () => {
    expect(parseXlLongList(text)).toEqual([
      {
        domid: 3,
        name: 'web1',
        uuid: '11111111-2222-3333-4444-000000000101',
        cmdline: expect.stringContaining('root=/dev/xvda') as unknown,
      },
      {
        domid: 5,
        name: 'pvh1',
        uuid: '47614173-58a4-4d6b-b5aa-c75dbd8c9cb7',
        cmdline: expect.stringContaining('10.77.0.111') as unknown,
      },
    ]);
  });

  test('that is cut off anywhere is no answer', () => {
    for (let length = 1; length < text.trimEnd().length; length += 97) {
      expect(() => parseXlLongList(text.slice(0, length))).toThrow(/no JSON/);
    }
  });

  test('of a dying domain may lack its config', () => {
    expect(parseXlLongList('[{"domid":7},{"domid":8,"config":{"new":1}}]')).toEqual([
      { domid: 7, name: undefined, uuid: undefined, cmdline: undefined },
      { domid: 8, name: undefined, uuid: undefined, cmdline: undefined },
    ]);
  });

  test.each(['{}', '[1]', '[{"domid":"3"}]'])('%s is of another form', (other) => {
    expect(() => parseXlLongList(other)).toThrow(/not as expected/);
  });
});
