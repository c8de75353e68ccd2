/** What goes wrong around a Data Plane API, under load: a clear error, no user hurt, and on it goes. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Daemon,
  type GenerationName,
  realDaemonOf,
  startDaemon,
} from '../balancer/dataplane/daemon-rig.ts';
import { balancerOf } from '../balancer/dataplane/daemon-site.ts';
import type { Passage } from '../balancer/dataplane/http-gate.ts';
import { change, never } from '../balancer/runtime/lab.ts';
import { until } from '../balancer/site.ts';
import { ask, services } from './api.ts';
import { LoadedSite } from './loaded-site.ts';

const unanswered = new Promise<never>(() => undefined);

/** All of it on one site, whose load goes on through all of it. */
export function describeMishaps(generation: GenerationName): void {
  const binary = realDaemonOf(generation);

  describe(`under load, ${generation} on ${binary ?? 'the stand-in'}`, { timeout: 60_000 }, () => {
    let loaded: LoadedSite;
    beforeAll(async () => {
      loaded = await LoadedSite.start(generation);
    });
    afterEach(() => {
      loaded.site.gate.guard = () => undefined;
      loaded.expectNobodyHurt();
    });
    afterAll(async () => {
      await loaded[Symbol.asyncDispose]();
    });

    testDaemonThatIsKilled(() => loaded);
    testDaemonThatFails(() => loaded);
    testWrongCredentials(() => loaded);
    testForeignHands(() => loaded);
    if (binary === undefined) {
      testFullDisk(() => loaded);
    }
  });
}

function testDaemonThatIsKilled(site: () => LoadedSite): void {
  test('the daemon is killed in the middle of a transaction: nothing of it is done, and the next one is', async () => {
    const { daemon, balancer, gate, rig } = site().site;
    const before = await readConfig(site());
    const workers = rig.workerPids();
    const server = { name: 'news-web-9', address: '127.0.0.10', port: 80 };
    const declare = (): Promise<void> => balancer.declareServers('news-web', [server], never);

    killAt(site(), ({ method, path }) => method === 'POST' && path.includes('transaction_id='));
    expect(await failureOf(declare(), daemon)).toMatch(/UnreachableError: balancer lb-a: POST /);
    gate.guard = () => undefined;
    await daemon.start();
    expect(await readConfig(site())).toBe(before);
    expect(rig.workerPids()).toEqual(workers);

    await declare();
    expect(await readConfig(site())).toContain('server news-web-9 127.0.0.10:80 disabled');
    const path = services(daemon.generation, '/transactions?status=in_progress');
    expect(await ask(daemon, { method: 'GET', path })).toMatchObject({ status: 200, body: [] });
  });

  test('the daemon is killed before it sets a state: it is set when the daemon is back', async () => {
    const { daemon, balancer, gate } = site().site;
    await site().bring([2], 'ready');
    killAt(site(), ({ method }) => method === 'PUT');
    const question = balancer.setServers([change(2, 'drain')], never);
    expect(await failureOf(question, daemon)).toMatch(/UnreachableError: balancer lb-a: PUT /);

    gate.guard = () => undefined;
    await daemon.start();
    await site().bring([2], 'maint');
  });
}

function testDaemonThatFails(site: () => LoadedSite): void {
  test('the daemon hangs: it is given up in time, and asked again', async () => {
    const { daemon, balancer, gate } = site().site;
    gate.guard = () => unanswered;
    expect(await failureOf(balancer.inspect(never), daemon)).toMatch(
      /UnreachableError: .*no answer in time/,
    );
    gate.guard = () => undefined;
    await site().bring([5], 'ready');
    await site().bring([5], 'maint');
  });

  test('the daemon fails with 500: it is told in its words, and asked again', async () => {
    const { daemon, balancer, gate } = site().site;
    const message = 'runtime error: invalid memory address or nil pointer dereference';
    gate.guard = () => ({ status: 500, body: JSON.stringify({ code: 500, message }) });
    expect(await failureOf(balancer.inspect(never), daemon)).toContain(`500: ${message}`);
    gate.guard = () => undefined;
    await site().bring([6], 'ready');
    await site().bring([6], 'maint');
  });
}

function testWrongCredentials(site: () => LoadedSite): void {
  test('the password is wrong: it says so, and not which it was', async () => {
    const { daemon } = site().site;
    const wrong = { username: daemon.username, password: 'not-this-one' };
    const failure = await failureOf(balancerOf(daemon.url, wrong).inspect(never), wrong);
    expect(failure).toMatch(/UnreachableError: .* does not accept this user and password/);
  });

  test('a certificate is wrong: it says whose', async () => {
    const { daemon, rig } = site().site;
    const [ca, certificate, key, ourCertificate, ourKey] = await Promise.all([
      readPem('ca.crt'),
      readPem('server.crt'),
      readPem('server.key'),
      readPem('client.crt'),
      readPem('client.key'),
    ]);
    const ours = { cert: ourCertificate, key: ourKey };
    await daemon.stop();
    {
      const tls = { certificate, key, clientCa: ca };
      await using guarded = await startDaemon({
        generation: daemon.generation,
        haproxy: rig,
        tls,
      });
      const inspectWith = (material: object): Promise<unknown> =>
        balancerOf(guarded.url, guarded, { tls: material }).inspect(never);
      await inspectWith({ ca, ...ours });
      expect(await failureOf(inspectWith(ours), guarded)).toMatch(
        /UnreachableError: .*its certificate is not trusted/,
      );
      expect(await failureOf(inspectWith({ ca }), guarded)).toMatch(
        /UnreachableError: .*client certificate/,
      );
    }
    await daemon.start();
    await site().bring([5], 'ready');
    await site().bring([5], 'maint');
  });
}

function testForeignHands(site: () => LoadedSite): void {
  test('HAProxy is reloaded by somebody else in the middle of a drain: it is drained again', async () => {
    const { balancer, rig } = site().site;
    await site().bring([3], 'ready');
    await balancer.setServers([change(3, 'drain')], never);
    await rig.reload();
    await site().bring([3], 'maint');
    const { running, declared } = await site().readBothSides();
    expect(running).toEqual(declared);
  });

  test('the file is edited by hand: the edit stays when the next change is written', async () => {
    const { daemon, rig } = site().site;
    const version = await versionOf(daemon);
    const text = await readConfig(site());
    await writeFile(rig.configPath, text.replace('timeout connect 2s', 'timeout connect 2500ms'));
    await until(
      () => versionOf(daemon),
      (now) => now > version,
    );
    await site().bring([4], 'ready');
    await site().bring([4], 'maint');
    expect(await readConfig(site())).toContain('timeout connect 2500ms');
  });
}

function testFullDisk(site: () => LoadedSite): void {
  test('the disk is full: nothing is half written, and it is done when there is room', async () => {
    const { daemon, balancer } = site().site;
    const faults = daemon.faults ?? expect.fail('the stand-in has faults');
    await site().bring([6], 'ready');
    const before = await readConfig(site());

    faults.diskIsFull = true;
    const question = balancer.setServers([change(6, 'maint')], never);
    expect(await failureOf(question, daemon)).toMatch(
      /UnreachableError: .*no space left on device/,
    );
    expect(await readConfig(site())).toBe(before);

    faults.diskIsFull = false;
    await site().bring([6], 'maint');
  });
}

/** Kills the daemon when a question like this comes, which is then answered by nobody. */
function killAt({ site }: LoadedSite, isLike: (passage: Passage) => boolean): void {
  site.gate.guard = async (passage) => {
    if (isLike(passage)) {
      await site.daemon.stop();
    }
    return undefined;
  };
}

/** What a question that must fail comes to: the text of its error, which never has the password in it. */
async function failureOf(
  question: Promise<unknown>,
  { password }: Pick<Daemon, 'password'>,
): Promise<string> {
  const text = await question.then(
    () => 'no error',
    (error: unknown) => String(error),
  );
  expect(text).not.toContain(password);
  return text;
}

async function readConfig({ site }: LoadedSite): Promise<string> {
  return await readFile(site.rig.configPath, 'utf8');
}

async function readPem(name: string): Promise<string> {
  return await readFile(join('test/fixtures/tls', name), 'utf8');
}

async function versionOf(daemon: Daemon): Promise<number> {
  const path = services(daemon.generation, '/configuration/version');
  return Number((await ask(daemon, { method: 'GET', path })).body);
}
