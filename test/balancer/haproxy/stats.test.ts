import { expect, test } from 'vitest';
import { checkStateOf, parseStats } from '../../../src/balancer/haproxy/stats.ts';
import { UnreachableError } from '../../../src/control/errors.ts';
import { recorded } from './fixtures.ts';

test('seven requests at a server of two slots: five wait in the backend, and all count as arrived', () => {
  const before = parseStats(recorded('show-stat-queue-drain-maint')).get('web');

  expect(before).toMatchObject({ queued: 5, arrivalsTotal: 7, answersTotal: 0 });
  expect(Object.fromEntries(before?.servers ?? [])).toMatchObject({
    'w-1': { status: 'UP', checkStatus: 'L7OK', sessions: 2, queued: 0, sessionLimit: 2 },
    'w-2': { status: 'DRAIN', checkStatus: 'L7OK', sessions: 0 },
    'w-3': { status: 'MAINT', checkStatus: '' },
  });
});

test('the times that a request takes are added up, and its failures are those of the backend', () => {
  const [header = '', ...rows] = recorded('show-stat-down').split('\n');
  const names = header.slice(2).split(',');
  const values = { qtime: '20', ctime: '1', rtime: '30', ttime: '400', hrsp_5xx: '3' };
  const filled = rows.map((row) => {
    const fields = row.split(',');
    for (const [name, value] of fields[1] === 'BACKEND' ? Object.entries(values) : []) {
      fields[names.indexOf(name)] = value;
    }
    return fields.join(',');
  });

  const backend = parseStats([header, ...filled].join('\n')).get('web');

  expect(backend).toMatchObject({ responseTimeMs: 51, failedTotal: 3, answersTotal: 0 });
});

test('a check text with commas and quotes does not shift the columns', () => {
  const [header = '', row = '', ...rest] = recorded('show-stat-down').split('\n');
  const fields = row.split(',');
  const column = header.slice(2).split(',').indexOf('last_chk');
  fields[column] = '"HTTP/1.1 503, says ""busy"""';

  const server = parseStats([header, fields.join(','), ...rest].join('\n')).get('web')?.servers;

  expect(server?.get('w-1')).toMatchObject({ status: 'UP', sessionLimit: 2 });
});

test.each([
  ['nothing', ''],
  ['an error', '[3]: No such proxy.\n'],
  ['a line cut short', recorded('show-stat-down').slice(0, 1_800)],
  ['other columns', '# pxname,svname,foo,\nweb,w-1,1,\n'],
])('%s is not taken for statistics', (_situation, text) => {
  expect(() => parseStats(text)).toThrow(UnreachableError);
});

test.each([
  // Sequences seen on 2.6.12, from MAINT to DRAIN. The L7OK beside `DRAIN 1/3` is the former tenant's.
  ['MAINT', '', 'pending'],
  ['MAINT (resolution)', 'L7OK', 'pending'],
  ['DRAIN 1/3', 'INI', 'pending'],
  ['DRAIN 1/3', 'L7OK', 'pending'],
  ['DRAIN 1/3', '* L4CON', 'pending'],
  ['DOWN', 'L4CON', 'failed'],
  ['DOWN', 'L7STS', 'failed'],
  ['DOWN 1/2', 'L7OK', 'failed'],
  ['DOWN (agent)', 'L7OK', 'failed'],
  ['NOLB', 'L7OKC', 'failed'],
  ['DRAIN', 'L7OK', 'passed'],
  ['DRAIN', '* L7OK', 'passed'],
  ['DRAIN', 'INI', 'pending'],
  ['UP', 'L7OK', 'passed'],
  ['UP', 'L4OK', 'passed'],
  ['UP', 'INI', 'pending'],
  ['UP 2/3', 'L7OK', 'pending'],
  ['no check', '', 'pending'],
] as const)('status %s with check %s is %s', (status, checkStatus, expected) => {
  expect(checkStateOf({ status, checkStatus }, false)).toBe(expected);
});

test('what a young worker shows in DRAIN may be its state file, so nobody is admitted on it', () => {
  expect(checkStateOf({ status: 'DRAIN', checkStatus: 'L7OK' }, true)).toBe('pending');
  expect(checkStateOf({ status: 'UP', checkStatus: 'L7OK' }, true)).toBe('passed');
});
