import { stdSerializers } from 'pino';
import type { Clock } from '../control/clock.ts';
import { RackfireError } from '../control/errors.ts';
import type { EventRecord } from '../control/events.ts';
import type { Log } from './recorder.ts';

/** A log whose lines, from `info` up, are remembered as events, too: one line, one event. */
export function createEventLog(
  log: Log,
  clock: Clock,
  remember: (record: EventRecord) => void,
): Log {
  const tell = (level: EventRecord['level']) => (fields: object, msg: string) => {
    log[level](fields, msg);
    remember({ atMs: Math.round(clock.wallMs()), level, msg, fields: toPlain(fields) });
  };
  return {
    error: tell('error'),
    warn: tell('warn'),
    info: tell('info'),
    debug: (fields, msg) => log.debug(fields, msg),
  };
}

/** For pino's `err`: a host that does not answer is no defect, and a stack trace says nothing of it. */
export function serializeError(error: Error): object {
  return error instanceof RackfireError ? plainError(error) : stdSerializers.err(error);
}

/** As pino writes them: an error by its code and message, nothing that JSON does not have. */
function toPlain(fields: object): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Error) {
      plain[key] = plainError(value);
    } else if (value !== undefined) {
      plain[key] = value;
    }
  }
  return plain;
}

function plainError(error: Error): object {
  const code = 'code' in error ? { code: error.code } : {};
  return { type: error.name, ...code, message: error.message };
}
