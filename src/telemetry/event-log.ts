import type { Clock } from '../control/clock.ts';
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

/** As pino writes them: an error by its code and message, nothing that JSON does not have. */
function toPlain(fields: object): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Error) {
      const code = 'code' in value ? { code: value.code } : {};
      plain[key] = { type: value.name, ...code, message: value.message };
    } else if (value !== undefined) {
      plain[key] = value;
    }
  }
  return plain;
}
