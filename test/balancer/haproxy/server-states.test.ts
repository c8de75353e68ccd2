import { expect, test } from 'vitest';
import { parseServerStates } from '../../../src/balancer/haproxy/server-states.ts';
import { UnreachableError } from '../../../src/control/errors.ts';
import { recorded } from './fixtures.ts';

test('every server of every backend is read', () => {
  const states = parseServerStates(recorded('servers-state-all-backends'));

  expect([...states.keys()]).toEqual(['web', 'other']);
  expect(Object.fromEntries(states.get('web') ?? [])).toMatchObject({
    'w-1': { admin: 'ready', operational: 'running', checkResult: 'passed', port: 18_001 },
    'w-2': { admin: 'drain', operational: 'running', checkResult: 'passed', port: 18_002 },
    'w-3': { admin: 'maint', operational: 'stopped', address: '127.0.0.1', port: 18_003 },
  });
});

// Recorded rows of 2.6.12. A server that the config declares `disabled` keeps bit 4 for good.
test.each([
  ['declared disabled, never touched', '0 5', 'maint'],
  ['declared disabled, in drain', '2 12', 'drain'],
  ['declared disabled, made ready', '2 4', 'ready'],
  ['declared disabled, made ready, maintained again', '0 5', 'maint'],
  ['declared plainly, ready', '2 0', 'ready'],
  ['declared plainly, in maintenance', '0 1', 'maint'],
  ['declared plainly, in drain, node dead', '0 8', 'drain'],
  ['its name cannot be resolved', '0 32', 'maint'],
  ['tracks a server in maintenance', '0 2', 'maint'],
  ['tracks a server in drain', '2 16', 'drain'],
])('admin state of a server %s', (_situation, bits, admin) => {
  const text = recorded('servers-state-all-backends');
  const header = text.split('\n').slice(0, 2).join('\n');
  const row = `3 web 2 w-2 127.0.0.1 ${bits} 1 1 70 5 2 0 14 0 0 0 - 18002 - 0 0 - - 0`;

  const state = parseServerStates(`${header}\n${row}\n`).get('web')?.get('w-2');

  expect(state?.admin).toBe(admin);
  expect(state?.sinceChangeMs).toBe(70_000);
});

test('a server that changed a second from now, as a reload shows for a moment, has changed just now', () => {
  const text = recorded('servers-state-all-backends');
  const row = '3 web 2 w-2 127.0.0.1 2 12 1 1 -1 5 2 0 14 0 0 0 - 18002 - 0 0 - - 0';
  const header = text.split('\n').slice(0, 2).join('\n');

  expect(parseServerStates(`${header}\n${row}\n`).get('web')?.get('w-2')?.sinceChangeMs).toBe(0);
  for (const broken of [row.replace(' -1 ', ' 1.5 '), row.replace(' 12 ', ' -12 ')]) {
    expect(() => parseServerStates(`${header}\n${broken}\n`)).toThrow(UnreachableError);
  }
});

test('a backend without servers is empty, and not an error', () => {
  const header = recorded('servers-state-all-backends').split('\n').slice(0, 2).join('\n');
  expect(parseServerStates(`${header}\n`).size).toBe(0);
});

test.each([
  ['nothing', ''],
  ['another format', '2\n# be_id be_name\n'],
  ['an error', "[3]: Can't find backend.\n"],
  ['a row cut short', recorded('servers-state-all-backends').slice(0, -40)],
])('%s is not taken for states', (_situation, text) => {
  expect(() => parseServerStates(text)).toThrow(UnreachableError);
});
