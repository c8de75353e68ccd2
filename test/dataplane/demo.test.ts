import { link, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { realDaemonOf } from '../balancer/dataplane/daemon-rig.ts';
import { DemoProcess } from '../e2e/demo-process.ts';

/** A rise from 100 to 300 requests per second, in half a minute. */
const TRACE = Array.from({ length: 32 }, (_, second) =>
  [second, Math.min(300, 100 + Math.max(0, second - 4) * 40)].join(','),
);

function daemonProgram(): string {
  const standIn = '../balancer/dataplane/stand-in/dataplaneapi.ts';
  return realDaemonOf('v3') ?? fileURLToPath(new URL(standIn, import.meta.url));
}

test('the demo by the Data Plane API: nodes come into rotation in a rise, no request fails, and HAProxy is never reloaded', {
  // Three quarters of a minute where nothing else runs.
  timeout: 200_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-demo-test-'));
  const trace = join(folder, 'rise.csv');
  await writeFile(trace, `second,rps\n${TRACE.join('\n')}\n`);
  const demo = new DemoProcess({
    args: ['--driver', 'dataplane', '--trace', trace, '--peak', '300', '--boot-delay', '2s'],
    env: {
      RACKFIRE_DATAPLANEAPI: daemonProgram(),
      // The stand-in is run by the Node of the tests.
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    },
  });
  try {
    await demo.until(({ nodes }) => nodes >= 2);
    const log = join(folder, 'haproxy.log');
    // The demo removes its folder when it ends.
    await link(join(dirname(demo.printed(/config {4}(.+)/)), 'haproxy.log'), log);

    const summary = await demo.summary();

    expect(summary.failedRequests, demo.log()).toBe(0);
    expect(summary.totalRequests).toBeGreaterThan(5_000);
    expect(summary.peakNodes, demo.log()).toBeGreaterThanOrEqual(4);
    expect(summary.leftovers, demo.log()).toBe(0);
    expect(demo.exitCode).toBe(0);
    const workers = (await readFile(log, 'utf8')).match(/New worker/g);
    expect(workers).toHaveLength(1);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  ['nobody has said where the daemon is', '', /set RACKFIRE_DATAPLANEAPI to the path/],
  ['there is no such program', '/nonexistent/daemon', /there is no \/nonexistent\/daemon/],
])('%s: the demo says what to do, and starts nothing', async (_situation, program, says) => {
  const demo = new DemoProcess({
    args: ['--driver', 'dataplane'],
    env: { RACKFIRE_DATAPLANEAPI: program },
  });
  await expect(demo.summary()).rejects.toThrow(says);
  expect(demo.exitCode).toBe(78);
});
