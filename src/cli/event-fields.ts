import { z } from 'zod';
import { type ConfigChange, describeChange } from '../config/config-keeper.ts';
import { RefusalAnswer } from '../http/status-answer.ts';
import { listProblems } from './troubles.ts';

const Failed = z.object({ err: z.object({ message: z.string() }) });

const Refused = RefusalAnswer.omit({ at: true });

const Changed = z.object({
  changes: z.array(
    z.object({ path: z.string(), from: z.string().optional(), to: z.string().optional() }),
  ),
});

/**
 * What an event says beside its message, on one line for a person: fields as `key=value`, without those that are empty, then
 * errors, problems and changes in the words of the other commands. `--json` has all of it.
 */
export function describeFields(fields: EventFields): string {
  const told = [tellError(fields), tellRefusal(fields), tellChanges(fields)];
  const hidden = new Set(told.flatMap((one) => one?.keys ?? []));
  const details = Object.entries(fields)
    .filter(([key, value]) => !hidden.has(key) && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => `${key}=${showValue(value)}`);
  return [details.join(' '), ...told.map((one) => one?.words ?? '')]
    .filter((part) => part !== '')
    .join('  ');
}

type EventFields = Readonly<Record<string, unknown>>;

interface Told {
  readonly keys: readonly string[];
  readonly words: string;
}

function tellError(fields: EventFields): Told | undefined {
  const { success, data } = Failed.safeParse(fields);
  return success ? { keys: ['err'], words: data.err.message } : undefined;
}

function tellRefusal(fields: EventFields): Told | undefined {
  const { success, data } = Refused.safeParse(fields);
  return success
    ? { keys: ['message', 'problems'], words: listProblems(data).join('; ') }
    : undefined;
}

function tellChanges(fields: EventFields): Told | undefined {
  const { success, data } = Changed.safeParse(fields);
  const changes: readonly ConfigChange[] = (data?.changes ?? []).map(({ path, from, to }) => ({
    path,
    from,
    to,
  }));
  return success ? { keys: ['changes'], words: changes.map(describeChange).join('; ') } : undefined;
}

/** Words as they are, numbers without noise, lists and sections without JSON's quotes. */
function showValue(value: unknown): string {
  if (typeof value === 'number') {
    return String(Math.round(value * 100) / 100);
  }
  if (Array.isArray(value)) {
    return `[${value.map(showValue).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}=${showValue(entry)}`);
    return `{${entries.join(' ')}}`;
  }
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
}
