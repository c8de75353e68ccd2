import { expect, test } from 'vitest';
import { errorOf, readErrors, splitAnswers } from '../../../src/balancer/runtime/answers.ts';
import { parseWorker, parseWorkerList } from '../../../src/balancer/runtime/workers.ts';
import { UnreachableError } from '../../../src/control/errors.ts';
import { recorded } from '../haproxy/fixtures.ts';

const line = recorded('inspect-line-left-maint-and-unknown-backend');

test('seven answers of one line are told apart, and an error is not a table', () => {
  const [info, stats, states, noProxy, noBackend] = splitAnswers(line, 7);

  expect(info).toMatch(/^Name: HAProxy\n/);
  expect(stats).toMatch(/^# pxname/);
  expect(states).toMatch(/^1\n# be_id/);
  expect([info, stats, states].map((block) => errorOf(block ?? ''))).toEqual(
    Array(3).fill(undefined),
  );
  expect(errorOf(noProxy ?? '')).toBe('No such proxy.');
  expect(errorOf(noBackend ?? '')).toBe("Can't find backend.");
});

test('an answer that is cut anywhere is never taken for a whole one', () => {
  for (let length = 0; length < line.length; length += 1) {
    expect(() => splitAnswers(line.slice(0, length), 7), `${length} bytes`).toThrow(
      UnreachableError,
    );
  }
});

test('errors of a batch are read, the successes between them are silent', () => {
  expect(readErrors(recorded('set-errors'), 4)).toEqual([
    'No such server.',
    'No such backend.',
    "'set server <srv> state' expects 'ready', 'drain' and 'maint'.",
  ]);
});

test('a socket without level admin says what to change', () => {
  expect(() => readErrors(recorded('set-permission-denied'), 1)).toThrow(/level admin/);
});

test.each(['', '\n', 'HTTP/1.1 400 Bad Request\r\n\r\n'])('%j is no answer to a set', (answer) => {
  expect(() => readErrors(answer, 1)).toThrow(UnreachableError);
});

test('the epoch is the pid and the start of the worker', () => {
  const info = recorded('show-info');
  const worker = parseWorker(info);

  expect(worker.epoch).toMatch(/^[0-9]+@17954[0-9]+$/);
  expect(parseWorker(info.replace(/Uptime_sec: .*/, 'Uptime_sec: 9999')).epoch).toBe(worker.epoch);
  expect(parseWorker(info.replace(/Start_time_sec: .*/, 'Start_time_sec: 1')).epoch).not.toBe(
    worker.epoch,
  );
});

test('a worker that is stopping is not asked any more', () => {
  const info = recorded('show-info').replace('Stopping: 0', 'Stopping: 1');
  expect(() => parseWorker(info)).toThrow(/reloaded/);
});

test('the master names old workers', () => {
  expect(parseWorkerList(recorded('show-proc-old-worker'))).toEqual({
    currentPids: [12_474],
    oldPids: [5_837],
  });
  expect(parseWorkerList(recorded('show-proc')).oldPids).toEqual([]);
  expect(() => parseWorkerList('Permission denied\n')).toThrow(UnreachableError);
});
