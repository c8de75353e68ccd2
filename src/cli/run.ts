import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { composeController } from '../compose.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { OverrideBook } from '../control/override-book.ts';
import { startHttp } from '../http/server.ts';
import { createSoloLeadership } from '../leader/solo.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { TelemetryRecorder } from '../telemetry/recorder.ts';
import { readVersion } from './version.ts';

/** `rackfire run`: the service. */
export function addRun(program: Command): void {
  program
    .command('run')
    .description('run the service until SIGTERM')
    .requiredOption('-c, --config <file>', 'the config file')
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
  const { config } = await loadConfig(configFile);
  const log = pino({ level: logLevel, base: { pid: process.pid } });
  const registry = new Registry();
  const version = readVersion();
  const metrics = createMetrics(registry);
  metrics.buildInfo.set({ version }, 1);
  const clock = createSystemClock();
  const recorder = new TelemetryRecorder(log, metrics);
  const overrides = new OverrideBook(clock, recorder);
  const leadership = createSoloLeadership(clock);
  const controller = composeController(config, { clock, recorder, overrides, leadership });
  const stop = stopOnSignals();
  const { server, port } = await startHttp({ ...config.http, controller, registry });
  log.info({ version, config: configFile, http: `${config.http.host}:${port}` }, 'started');
  try {
    await controller.run(stop);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  log.info({ signal: String(stop.reason) }, 'stopped, nodes and traffic stay as they are');
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
