/**
 * One node of the embedded site, a process of its own: it boots for a while, then serves requests, a few at
 * a time, each for a fixed time. It imports nothing but Node's own modules, because a storm starts many of
 * these at once on the machine that also has to carry the load.
 *
 * ```
 *            boot delay over             SIGTERM                 last answer sent, or 30 s
 * (started) ────────────────▶ serving ────────────▶ stopping ────────────────────────────▶ (exits)
 *     │ SIGTERM: exits at once   ▲ address in use: exits, the domain is simply gone
 * ```
 *
 * Its arguments are its marks: whoever looks for nodes reads them in /proc. What it is doing stands in
 * /proc/PID/comm (`rackfire-node`, then `rackfire-stop`), so that a restarted Rackfire sees it, too.
 */

import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** Longer than HAProxy keeps idle connections to servers, so HAProxy never sends into a closing one. */
const KEEP_ALIVE_MS = 75_000;
/** As long as the slowest request may take; then the process ends whoever still waits. */
const STOP_DEADLINE_MS = 30_000;
/** More than HAProxy ever lets wait here; beyond it a request is refused, so that memory stays bounded. */
const MAX_WAITING = 1_000;
/** Node's timers count whole milliseconds: an answer may be half of one early, so that errors cancel out. */
const TIMER_GRAIN_MS = 0.5;
/** A wake-up later than this was a freeze or a starved machine, not a timer's rounding: no catching up. */
const MAX_CATCH_UP_MS = 5;

const marks = new Map(
  process.argv.slice(2).map((argument) => {
    const equals = argument.indexOf('=');
    return [argument.slice(2, equals), argument.slice(equals + 1)] as const;
  }),
);

function readText(mark: string): string {
  const text = marks.get(mark);
  if (text === undefined || text === '') {
    throw new Error(`--${mark}= is missing`);
  }
  return text;
}

function readWhole(mark: string, least: number): number {
  const value = Number(readText(mark));
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${mark}= must be a whole number of at least ${least}`);
  }
  return value;
}

/** A fault that tests and demonstrations order: how long /health answers 503 after the boot. */
function readUnhealthyMs(fault: string): number {
  const match = /^503-for-ms:([0-9]+)$/.exec(fault);
  if (match === null && fault !== 'never-healthy') {
    throw new Error('--fault= must be never-healthy, health-takes-slot or 503-for-ms:N');
  }
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}

const nodeName = readText('rackfire-name');
const address = readText('address');
const port = readWhole('port', 1);
const bootDelayMs = readWhole('boot-delay-ms', 0);
const serviceTimeMs = readWhole('service-time-ms', 1);
const slots = readWhole('slots', 1);
const fault = marks.get('fault') ?? '503-for-ms:0';
/** Another fault: /health is a page as any other, so a crowded node answers its check late. */
const healthTakesSlot = fault === 'health-takes-slot';
const unhealthyMs = healthTakesSlot ? 0 : readUnhealthyMs(fault);

/** Each holds one slot. All hold it equally long, so the first one to start is the first one to end. */
const working: { readonly endsAtMs: number; readonly response: ServerResponse }[] = [];
const waiting: ServerResponse[] = [];
let listensSinceMs = 0;
let stopping = false;

function answer(response: ServerResponse, status: number, body: string): void {
  response.shouldKeepAlive &&= !stopping;
  response.writeHead(status, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(body),
    'x-rackfire-node': nodeName,
  });
  response.end(body);
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const [, slowMs] = /^\/slow\?ms=([0-9]{1,5})$/.exec(request.url ?? '') ?? [];
  if (request.url === '/health' && !healthTakesSlot) {
    const healthy = !stopping && performance.now() - listensSinceMs >= unhealthyMs;
    answer(response, healthy ? 200 : 503, healthy ? 'ok\n' : 'not now\n');
  } else if (slowMs !== undefined) {
    // It waits for somebody else, as an upload or a report does, and takes no slot meanwhile.
    setTimeout(() => answer(response, 200, `${nodeName}\n`), Number(slowMs));
  } else if (working.length < slots) {
    work(response, performance.now());
  } else if (waiting.length < MAX_WAITING) {
    waiting.push(response);
  } else {
    answer(response, 503, 'too many requests wait here\n');
  }
}

function work(response: ServerResponse, fromMs: number): void {
  working.push({ endsAtMs: fromMs + serviceTimeMs, response });
  if (working.length === 1) {
    armTimer();
  }
}

/** One timer for the earliest end: ten slots cost no more wake-ups than they have to. */
function armTimer(): void {
  const next = working[0];
  if (next !== undefined) {
    setTimeout(endWork, Math.max(1, Math.round(next.endsAtMs - performance.now())));
  }
}

function endWork(): void {
  const nowMs = performance.now();
  for (;;) {
    const first = working[0];
    if (first === undefined || first.endsAtMs > nowMs + TIMER_GRAIN_MS) {
      break;
    }
    working.shift();
    answer(first.response, 200, `${nodeName}\n`);
    // The next one starts when the slot was due to be free, not when the timer came: otherwise each
    // request adds the timer's rounding and the node falls behind its rated speed.
    const late = nowMs - first.endsAtMs > MAX_CATCH_UP_MS;
    startNextWaiting(late ? nowMs : first.endsAtMs);
  }
  armTimer();
}

function startNextWaiting(fromMs: number): void {
  for (;;) {
    const next = waiting.shift();
    if (next === undefined) {
      return;
    }
    // Its client has gone: working for nobody would take the slot from somebody who still waits.
    if (!next.destroyed) {
      working.push({ endsAtMs: fromMs + serviceTimeMs, response: next });
      return;
    }
  }
}

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handle);
server.on('error', () => process.exit(1));

// performance.now() counts from the start of the process, so starting Node is part of the boot.
setTimeout(
  () => {
    server.listen({ host: address, port, backlog: 1_024 }, () => {
      listensSinceMs = performance.now();
    });
  },
  Math.max(0, Math.round(bootDelayMs - performance.now())),
);

process.on('SIGTERM', () => {
  if (!server.listening) {
    process.exit(0);
  }
  stopping = true;
  writeFileSync('/proc/self/comm', 'rackfire-stop');
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
});

writeFileSync('/proc/self/comm', 'rackfire-node');
