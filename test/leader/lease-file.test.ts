/** Which files and places are taken, and which are refused and left as they are. */

import { chmod, chown, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/control/errors.ts';
import { createFileLeadership } from '../../src/leader/file-lock.ts';
import type { ReadFileSystemType } from '../../src/leader/lease-place.ts';
import { TestClock } from '../control/test-clock.ts';
import { Contender, Folder } from './contenders.ts';

/** Leads by the file for a moment. @returns The number of holders before this one. */
async function lead(path: string, readFileSystemType?: ReadFileSystemType): Promise<unknown> {
  const clock = new TestClock();
  const options = { path, clock };
  await using leadership = createFileLeadership(
    readFileSystemType === undefined ? options : { ...options, readFileSystemType },
  );
  await clock.step(500);
  return leadership.term()?.transitions;
}

async function expectRefused(path: string, message: RegExp): Promise<void> {
  const refusal: unknown = await lead(path).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ConfigError);
  expect(String(refusal)).toMatch(message);
  expect(String(refusal)).toContain(path);
}

function writeDatabase(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe('a file', () => {
  test('that is empty is taken, as if it were not there', async () => {
    await using folder = await Folder.create();
    await writeFile(folder.file(), '');
    expect(await lead(folder.file())).toBe(0);
    expect(await lead(folder.file())).toBe(1);
    expect(await readdir(folder.path)).toEqual(['leader']);
  });

  test.each<[string, (path: string) => unknown]>([
    ['a text', (path) => writeFile(path, 'precious\n')],
    ['a text longer than a header', (path) => writeFile(path, 'precious\n'.repeat(1_000))],
    ['zeros', (path) => writeFile(path, Buffer.alloc(4_096))],
    ['a database without a mark', (path) => writeDatabase(path, 'CREATE TABLE precious (x)')],
    [
      'a database with another mark',
      (path) => writeDatabase(path, 'PRAGMA application_id = 7; CREATE TABLE lease (x)'),
    ],
    [
      'a database with a write-ahead log',
      (path) => writeDatabase(path, 'PRAGMA journal_mode = WAL; CREATE TABLE precious (x)'),
    ],
  ])('that is %s is refused and left as it is', async (_, write) => {
    await using folder = await Folder.create();
    await write(folder.file());
    const before = await readFile(folder.file());
    const names = await readdir(folder.path);
    await expectRefused(folder.file(), /not a lease file of Rackfire .* left as it is/);
    expect((await readFile(folder.file())).equals(before)).toBe(true);
    expect(await readdir(folder.path)).toEqual(names);
  });

  test('of a newer schema is refused and left as it is', async () => {
    await using folder = await Folder.create();
    await lead(folder.file());
    writeDatabase(folder.file(), 'PRAGMA user_version = 2');
    const before = await readFile(folder.file());
    await expectRefused(folder.file(), /made by a newer Rackfire \(schema 2, this one knows 1\)/);
    expect((await readFile(folder.file())).equals(before)).toBe(true);
  });

  test.each([
    ['lacks its table', 'DROP TABLE lease; CREATE TABLE other (x)'],
    ['has a number out of range', 'UPDATE lease SET transitions = 9007199254740993'],
    [
      'has a word for a number',
      `DROP TABLE lease;
       CREATE TABLE lease (pid, host_name, since_ms, created_at_seconds, transitions);
       INSERT INTO lease VALUES (1, 'a', 1, 'soon', 1)`,
    ],
  ])('that is ours but %s is refused as damaged', async (_, sql) => {
    await using folder = await Folder.create();
    await lead(folder.file());
    writeDatabase(folder.file(), sql);
    await expectRefused(folder.file(), /is damaged: delete it while no Rackfire runs/);
  });

  test('that is a link or a directory is refused', async () => {
    await using folder = await Folder.create();
    await mkdir(folder.file('directory'));
    await symlink(folder.file('elsewhere'), folder.file('link'));
    await expectRefused(folder.file('directory'), /must be a plain file/);
    await expectRefused(folder.file('link'), /must be a plain file/);
    expect((await readdir(folder.path)).toSorted()).toEqual(['directory', 'link']);
  });
});

describe('a directory', () => {
  test('that is not there, or is no directory, is refused', async () => {
    await using folder = await Folder.create();
    await writeFile(folder.file('file'), '');
    await expect(lead(folder.file('absent/leader'))).rejects.toThrow(ConfigError);
    await expect(lead(folder.file('absent/leader'))).rejects.toThrow(
      `no directory ${folder.file('absent')} for the lease file: make it`,
    );
    await expect(lead(folder.file('file/leader'))).rejects.toThrow(
      `no directory ${folder.file('file')} for the lease file`,
    );
  });

  test('in which this user may not write is refused, and so is a file that it may not write', async () => {
    await using folder = await Folder.create();
    // What is not writable for root, too, is hard to find: as root, the contender is somebody else.
    const isRoot = process.getuid?.() === 0;
    const user = isRoot ? 65_534 : process.getuid!();
    await mkdir(folder.file('ours'));
    await lead(folder.file('ours/leader'));
    await chmod(folder.file('ours/leader'), 0o444);
    await chmod(folder.path, 0o555);
    if (isRoot) {
      await chown(folder.file('ours'), user, user);
    }
    await using contender = new Contender(isRoot ? user : undefined);
    await contender.open(folder.file());
    const { message } = await contender.heard('failed');
    expect(message).toMatch(/^ConfigError: the directory .* is not writable for this user/);

    await contender.open(folder.file('ours/leader'));
    const second = await contender.heard('failed');
    expect(second.message).toMatch(/^ConfigError: the lease file .* is not writable for this user/);
    await chmod(folder.path, 0o755);
  });

  test.each([
    ['NFS', 0x6969],
    ['SMB', 0x517b],
    ['CIFS', 0xff534d42],
    ['CIFS', 0xff534d42 | 0],
    ['SMB2', 0xfe534d42],
    ['AFS', 0x5346414f],
    ['AFS', 0x6b414653],
    ['Coda', 0x73757245],
    ['9p', 0x01021997],
    ['Ceph', 0x00c36400],
    ['Lustre', 0x0bd00bd0],
    ['GFS2', 0x01161970],
    ['OCFS2', 0x7461636f],
    ['FUSE', 0x65735546],
  ])('on %s (%i) is refused, and nothing is made there', async (name, type) => {
    await using folder = await Folder.create();
    const refusal = lead(folder.file(), () => type);
    await expect(refusal).rejects.toThrow(ConfigError);
    await expect(refusal).rejects.toThrow(
      `the lease file ${folder.file()} is on ${name}, where a lock does not keep other machines out: put it on a local disk`,
    );
    expect(await readdir(folder.path)).toEqual([]);
  });

  test.each([
    ['ext4', 0xef53],
    ['XFS', 0x58465342],
    ['Btrfs', 0x9123683e],
    ['ZFS', 0x2fc12fc1],
    ['tmpfs', 0x01021994],
    ['overlayfs', 0x794c7630],
  ])('on %s (%i) is taken', async (_, type) => {
    await using folder = await Folder.create();
    expect(await lead(folder.file(), () => type)).toBe(0);
  });

  test('of this machine is taken, and the file counts where it is mounted apart', async () => {
    await using folder = await Folder.create();
    const asked: string[] = [];
    expect(await lead(folder.file())).toBe(0);
    const refusal = lead(folder.file(), (path) => {
      asked.push(path);
      return path === folder.file() ? 0x6969 : 0xef53;
    });
    await expect(refusal).rejects.toThrow('is on NFS');
    expect(asked).toEqual([folder.file()]);
  });
});
