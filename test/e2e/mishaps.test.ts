import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { Folder } from '../cli/rackfire.ts';
import { DemoProcess, startService } from './demo-process.ts';

test('nobody notices that HAProxy is reloaded in the storm, that Rackfire is killed at its peak, that HAProxy is reloaded then, and that another Rackfire takes over', {
  timeout: 220_000,
}, async () => {
  const demo = new DemoProcess();
  // In the middle of the storm: nodes boot, requests queue.
  await demo.until(({ nodes }) => nodes >= 4);
  const haproxyPid = Number(demo.printed(/HAProxy {3}pid ([0-9]+)/));
  process.kill(haproxyPid, 'SIGUSR2');
  await demo.until(({ nodes }) => nodes >= 8);

  process.kill(Number(demo.printed(/Rackfire {2}pid ([0-9]+)/)), 'SIGKILL');
  await demo.until(({ atSeconds }) => atSeconds >= 50);
  process.kill(haproxyPid, 'SIGUSR2');
  await demo.until(({ atSeconds }) => atSeconds >= 60);
  const service = startService(demo.printed(/config {4}(.+)/));
  const serviceExit = once(service, 'exit');

  const summary = await demo.summary();
  expect(summary.failedRequests, demo.log()).toBe(0);
  expect(summary.finalNodes, demo.log()).toBe(2);
  expect(summary.leftovers, demo.log()).toBe(0);
  // The demo ends whatever runs on its config, or it would boot what the demo destroys.
  expect(await serviceExit).toEqual([0, null]);
});

test('Ctrl-C in the middle, pressed twice, leaves nothing behind', {
  timeout: 60_000,
}, async () => {
  const demo = new DemoProcess();
  await demo.until(({ atSeconds }) => atSeconds >= 8);
  const folder = dirname(demo.printed(/config {4}(.+)/));
  await demo.interruptTwice();
  const summary = await demo.summary();
  expect(summary.failedRequests).toBe(0);
  expect(summary.leftovers, demo.log()).toBe(0);
  expect(demo.exitCode).toBe(1);
  expect(existsSync(folder)).toBe(false);
});

test('a demo whose machine stands still for a while says so, leaves that out of its figures, and ends as it would have', {
  timeout: 90_000,
}, async () => {
  const rows = Array.from({ length: 10 }, (_, second) => `${second},100\n`);
  await using folder = await Folder.create({ 'trace.csv': `second,rps\n${rows.join('')}` });
  const demo = new DemoProcess({ args: ['--trace', folder.file('trace.csv'), '--peak', '100'] });
  await demo.until(({ atSeconds }) => atSeconds >= 2);
  await demo.standStill(1_500);
  const summary = await demo.summary();
  expect([summary.failedRequests, demo.exitCode], demo.log()).toEqual([0, 0]);
  expect(summary.standstillSeconds).toBeGreaterThanOrEqual(1.3);
  expect(summary.p99AfterSeconds).toBeLessThan(1);
});
