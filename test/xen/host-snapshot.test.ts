import { describe, expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import type { HostSnapshot } from '../../src/control/ports.ts';
import { readSnapshot } from '../../src/xen/host-snapshot.ts';
import { parseInspectAnswer } from '../../src/xen/inspect-answer.ts';
import { type Guest, inspectText, marks, nodeLine, uuidOf } from './scripted-host.ts';

const options = { installation: 'news', uuidOf, reserveMemoryMiB: 64, vcpusPerCpu: 4 };
const web3 = 'news-web-3';
/** Xen shows 1564 MiB free, and 2 CPUs. */
const freeMemoryMiB = 1564 - 64;

function read(lines: readonly string[], guests: readonly Guest[] = []): HostSnapshot {
  return readSnapshot(parseInspectAnswer(inspectText(lines, guests)), options);
}

/** What is left for further nodes. */
function roomOf(snapshot: HostSnapshot): { memoryMiB: number; vcpus: number; diskMiB: number } {
  const room = { memoryMiB: snapshot.memoryMiB, vcpus: snapshot.vcpus, diskMiB: snapshot.diskMiB };
  for (const domain of snapshot.domains) {
    room.memoryMiB -= domain.memoryMiB;
    room.vcpus -= domain.vcpus;
    room.diskMiB -= domain.diskMiB;
  }
  return room;
}

describe('a host', () => {
  test('without guests has what Xen shows free, less its reserve', () => {
    expect(read([])).toEqual({ memoryMiB: 1500, vcpus: 8, diskMiB: 81920, domains: [] });
  });

  test('has in all what its nodes hold and what is free', () => {
    const snapshot = read([nodeLine(web3), `disk ${web3}`], [{ name: web3, vcpus: 1 }]);

    expect(snapshot).toMatchObject({ memoryMiB: 1500 + 523, vcpus: 8, diskMiB: 81920 + 4096 });
    expect(roomOf(snapshot)).toEqual({ memoryMiB: 1500, vcpus: 7, diskMiB: 81920 });
  });

  test('gives nothing away of what foreign and dying guests hold', () => {
    const snapshot = read(
      [],
      [
        { name: 'mail', vcpus: 2, cmdline: 'root=/dev/xvda' },
        { name: '(null)', vcpus: 1, flags: '--ps-d', cmdline: undefined },
      ],
    );

    expect(snapshot.domains).toEqual([]);
    expect(roomOf(snapshot)).toEqual({ memoryMiB: freeMemoryMiB, vcpus: 5, diskMiB: 81920 });
  });

  test('has given away what it has promised', () => {
    const snapshot = read(
      [`operation ${web3} create 1795501400000 4211`, `reservation ${web3} 400`, nodeLine(web3)],
      [{ name: web3, memoryMiB: 112, flags: '--p---', cmdline: undefined }],
    );

    expect(snapshot.domains).toMatchObject([{ state: 'being-made', memoryMiB: 512 }]);
    expect(roomOf(snapshot).memoryMiB).toBe(freeMemoryMiB - 400);
  });

  test('has given away a promise to a name that it shows in no other way', () => {
    expect(roomOf(read(['reservation news-web-9 512'])).memoryMiB).toBe(freeMemoryMiB - 512);
  });
});

describe('a node', () => {
  const ours = { name: web3, uuid: uuidOf(web3), bornMs: 1_795_501_400_000 };
  const whole = [nodeLine(web3), `disk ${web3}`];
  const operation = (verb: string): string => `operation ${web3} ${verb} 1795501400000 4211`;

  test.each<[string, string[], Guest[], string]>([
    ['runs', whole, [{ name: web3 }], 'running'],
    ['is runnable and waits for a CPU', whole, [{ name: web3, flags: '------' }], 'running'],
    ['is paused', whole, [{ name: web3, flags: '--p---' }], 'paused'],
    [
      'was left half-built, without a config',
      whole,
      [{ name: web3, flags: '--p---', cmdline: undefined }],
      'residue',
    ],
    [
      'was left half-built, without memory',
      whole,
      [{ name: web3, memoryMiB: 0, flags: '--p---', cmdline: undefined }],
      'residue',
    ],
    [
      'runs, and its config was lost',
      whole,
      [{ name: web3, flags: '-b----', cmdline: undefined }],
      'running',
    ],
    ['has shut down', whole, [{ name: web3, flags: '--ps--' }], 'stopping'],
    ['has crashed', whole, [{ name: web3, flags: '--psc-' }], 'stopping'],
    ['has lost its monitor', whole, [{ name: web3, flags: '---sr-' }], 'stopping'],
    ['is promised', [operation('create'), nodeLine(web3)], [], 'being-made'],
    ['is about to be', [operation('create')], [], 'being-made'],
    [
      'is under construction',
      [operation('create'), ...whole],
      [{ name: web3, memoryMiB: 0, vcpus: 0, flags: '--p---', cmdline: undefined }],
      'being-made',
    ],
    [
      'is created, and not started yet',
      [operation('create'), ...whole],
      [{ name: web3 }],
      'being-made',
    ],
    ['is being destroyed', [operation('destroy'), ...whole], [{ name: web3 }], 'stopping'],
    ['is being destroyed, its domain gone', [operation('destroy'), ...whole], [], 'stopping'],
    [
      'is being saved',
      [operation('save'), ...whole],
      [{ name: web3, flags: '---ss-' }],
      'stopping',
    ],
    ['is being paused, and runs still', [operation('pause'), ...whole], [{ name: web3 }], 'paused'],
    ['is saved', [...whole, `saved ${web3} 520`], [], 'saved'],
    ['is being restored', [operation('restore'), ...whole, `saved ${web3} 520`], [], 'being-made'],
    ['left its mark', [nodeLine(web3)], [], 'residue'],
    ['left its disk', [`disk ${web3}`], [], 'residue'],
    ['left a file without a mark', [`saved ${web3} 520`], [], 'residue'],
  ])('that %s', (_situation, lines, guests, state) => {
    const { domains } = read(lines, guests);

    expect(domains).toHaveLength(1);
    expect(domains[0]).toMatchObject({ name: web3, uuid: uuidOf(web3), state });
  });

  test('carries its birth and its image in its command line', () => {
    expect(read(whole, [{ name: web3 }]).domains).toEqual([
      {
        ...ours,
        state: 'running',
        imageVersion: '2026-11-01',
        memoryMiB: 523, // 512, and what Xen keeps for it
        vcpus: 1,
        diskMiB: 4096,
      },
    ]);
  });

  test('that lost its mark on the disk is known by its command line', () => {
    expect(read([], [{ name: web3 }]).domains).toMatchObject([
      { ...ours, imageVersion: '2026-11-01', diskMiB: 0 },
    ]);
  });

  test('that is saved holds no memory and no vCPU, and its file counts as disk', () => {
    const snapshot = read([...whole, `saved ${web3} 520`]);

    expect(snapshot.domains).toMatchObject([{ ...ours, memoryMiB: 0, vcpus: 0, diskMiB: 4616 }]);
    expect(roomOf(snapshot)).toEqual({ memoryMiB: freeMemoryMiB, vcpus: 8, diskMiB: 81920 });
  });

  test('whose mark cannot be read is ours by its name, so that it can be destroyed', () => {
    const line = `node ${web3} 00000000-0000-0000-0000-000000000000 0 unknown@0 0 0 0`;

    expect(read([line]).domains).toMatchObject([
      { name: web3, uuid: uuidOf(web3), bornMs: 0, state: 'residue' },
    ]);
  });

  test('that has gone, with its mark, while the others were asked is no conflict', () => {
    expect(read([], [{ name: web3, flags: '--ps--', cmdline: undefined }]).domains).toEqual([]);
  });

  test('that came between the two lists of Xen is there', () => {
    const text = inspectText(whole, [{ name: web3 }]).replace(/^news-web-3 .*\n/m, '');

    expect(readSnapshot(parseInspectAnswer(text), options).domains).toMatchObject([
      { ...ours, state: 'being-made' },
    ]);
  });
});

describe('a guest of somebody else', () => {
  const foreignUuid = '47614173-58a4-4d6b-b5aa-c75dbd8c9cb7';

  test.each([
    ['without a mark', 'root=/dev/xvda'],
    ['with the mark of another installation', marks.replace('=news', '=other')],
    ['with a mark that is overruled at the end', `${marks} rackfire.installation=other`],
  ])('%s and with a name of ours is reported with its own UUID', (_situation, cmdline) => {
    const { domains } = read([], [{ name: web3, uuid: foreignUuid, cmdline }]);

    expect(domains).toMatchObject([{ name: web3, uuid: foreignUuid, bornMs: 0, diskMiB: 0 }]);
  });

  test('with our name and our UUID, but without a mark, is not taken for ours', () => {
    const { domains } = read([], [{ name: web3, cmdline: 'root=/dev/xvda' }]);

    expect(domains[0]?.uuid).not.toBe(uuidOf(web3));
  });

  test('beside a residue of ours of the same name: both are shown', () => {
    const { domains } = read([nodeLine(web3)], [{ name: web3, uuid: foreignUuid, cmdline: 'x' }]);

    expect(domains.map(({ uuid, state }) => [uuid, state])).toEqual([
      [foreignUuid, 'running'],
      [uuidOf(web3), 'residue'],
    ]);
  });

  test.each(['mail', 'Domain-1', 'web-03', 'web3', '7'])('called %s is not reported', (name) => {
    expect(read([], [{ name, cmdline: 'root=/dev/xvda' }]).domains).toEqual([]);
  });
});

describe('half an answer', () => {
  const text = inspectText([nodeLine(web3), `saved ${web3} 512`], [{ name: web3 }]);

  test('is none, wherever it was cut off', () => {
    for (let length = 0; length < text.lastIndexOf('end'); length += 1) {
      expect(() => parseInspectAnswer(text.slice(0, length))).toThrow(UnreachableError);
    }
  });

  test.each([
    ['no answer of the wrapper', 'Welcome to Debian\n', /not that of rackfire-dom0/],
    ['of another version', text.replace('dom0 1', 'dom0 2'), /speaks version 2/],
    [
      'without a number',
      text.replace('free-disk 81920', 'free-disk much'),
      /where a number belongs/,
    ],
    ['without its disk', text.replace('free-disk 81920\n', ''), /says no free-disk/],
    ['without a section', text.replace('== xl list -l', '== xl lost'), /xl list -l is missing/],
    ['with half a mark', text.replace(' 512 1 4096', ' 512'), /where a number belongs/],
  ])('%s is none', (_situation, broken, message) => {
    expect(() => parseInspectAnswer(broken)).toThrow(message);
  });

  test('Words and sections of a newer wrapper do no harm', () => {
    const newer = text
      .replace('free-disk', 'weather fine\nfree-disk')
      .replace('== end', '== xl top\nmuch\n== end');

    expect(parseInspectAnswer(newer)).toEqual(parseInspectAnswer(text));
  });
});
