/** Which change of a server reaches HAProxy without a reload, and how. */

import type { RuntimeApi } from './runtime-api.ts';
import type { ServerFields } from './server-fields.ts';

const changeable = ['weight', 'address', 'port', 'maintenance', 'health_check_port'];

/**
 * Only what the file said differently before is told: a server that was drained at runtime and is declared as
 * before stays drained.
 *
 * @returns Whether a reload is needed: when any other field differs, one was left out that the file had, or HAProxy
 * refuses.
 */
export async function changeAtRuntime(
  runtime: RuntimeApi,
  backend: string,
  before: ServerFields,
  after: ServerFields,
): Promise<boolean> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].filter((field) => before[field] !== after[field]);
  const leftOut = changed.some((field) => after[field] === undefined && field !== 'maintenance');
  if (leftOut || changed.some((field) => !changeable.includes(field))) {
    return true;
  }
  const target = `${backend}/${after['name']}`;
  try {
    for (const command of commandsFor(target, changed, after)) {
      await runtime.tell(command);
    }
    return false;
  } catch {
    return true;
  }
}

function commandsFor(
  target: string,
  changed: readonly string[],
  after: ServerFields,
): readonly string[] {
  const commands: string[] = [];
  if (changed.includes('weight')) {
    commands.push(`set server ${target} weight ${after['weight']}`);
  }
  if (changed.includes('health_check_port')) {
    commands.push(`set server ${target} check-port ${after['health_check_port']}`);
  }
  if (changed.includes('address') || changed.includes('port')) {
    commands.push(`set server ${target} addr ${after['address']} port ${after['port']}`);
  }
  if (changed.includes('maintenance')) {
    const state = after['maintenance'] === 'enabled' ? 'maint' : 'ready';
    commands.push(`set server ${target} state ${state}`);
  }
  return commands;
}
