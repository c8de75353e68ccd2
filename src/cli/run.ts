import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { HttpConfig } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { NotLeaderError } from '../control/errors.ts';
import { startHttp } from '../http/server.ts';
import { Service } from '../service.ts';
import { serializeError } from '../telemetry/event-log.ts';
import { configOption } from './config-option.ts';
import { readVersion } from './version.ts';

/** `rackfire run`: the service. */
export function addRun(program: Command): void {
  program
    .command('run')
    .description('run the service until SIGTERM')
    .addOption(configOption())
    .addOption(
      new Option('--log-level <level>', 'debug: each decision, not only changes')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action(async (options: { readonly config: string; readonly logLevel: string }) => {
      await run(options.config, options.logLevel);
    });
}

/** @throws ConfigError when the file cannot be used. */
async function run(configFile: string, logLevel: string): Promise<void> {
  const loaded = await loadConfig(configFile);
  const { http } = loaded.config;
  const serializers = { err: serializeError };
  const log = pino({ level: logLevel, base: { pid: process.pid }, serializers });
  const registry = new Registry();
  const version = readVersion();
  const clock = createSystemClock();
  const service = new Service({ configFile, loaded, version, clock, log, registry });
  const stop = stopOnSignals();
  const { server, port } = await startHttpAs(service, http);
  log.info({ version, config: configFile, http: `${http.host}:${port}` }, 'started');
  const reload = (): void => {
    void service.keeper.reload();
  };
  process.on('SIGHUP', reload);
  try {
    await service.run(stop);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  log.info({ signal: String(stop.reason) }, 'stopped, nodes and traffic stay as they are');
}

/** @throws NotLeaderError when it is the other one that listens: two were started on one config. */
async function startHttpAs(
  service: Service,
  http: HttpConfig,
): Promise<Awaited<ReturnType<typeof startHttp>>> {
  const standing = await service.lease.started.catch(async (error: unknown) => {
    await service.close();
    throw error;
  });
  try {
    return await startHttp({
      ...http,
      controller: service.controller,
      registry: service.registry,
      service,
    });
  } catch (error) {
    const holder = service.leadership.holder();
    await service.close();
    const isInUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (standing === 'follower' && isInUse && holder !== undefined) {
      const { name, sinceMs } = holder;
      const since = sinceMs === undefined ? '' : `, since ${new Date(sinceMs).toISOString()}`;
      throw new NotLeaderError(`another Rackfire leads already: ${name}${since}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** The first signal ends the service in order; the second ends it at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) {
        process.exit(1);
      }
      stop.abort(name);
    });
  }
  return stop.signal;
}
