/** Times as people say and read them. */

import { InvalidArgumentError } from 'commander';
import { durationPattern, parseDurationMs } from '../config/units.ts';

/** What `--at` and `--since` take, for their help. */
export const MOMENT_HELP =
  '14:07, 14:07:10, 5m (ago), or 2026-11-24T14:07:10 (with Z or an offset, or local)';

/**
 * Reads a moment of the past. A time of day is the last one: at 00:10, 23:50 was yesterday.
 *
 * @returns Milliseconds since 1970. @throws InvalidArgumentError
 */
export function parseMoment(text: string, nowMs: number): number {
  const [, ago] = /^-?([0-9]+[a-z]+)(?: ago)?$/.exec(text) ?? [];
  if (ago !== undefined && durationPattern.test(ago)) {
    return nowMs - parseDurationMs(ago);
  }
  const [, hours, minutes, seconds = '0'] =
    /^([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?$/.exec(text) ?? [];
  if (hours !== undefined) {
    const today = new Date(nowMs).setHours(Number(hours), Number(minutes), Number(seconds), 0);
    return today <= nowMs ? today : new Date(today).setDate(new Date(today).getDate() - 1);
  }
  const isIso =
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,3})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?$/;
  const wallMs = isIso.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(wallMs)) {
    throw new InvalidArgumentError(`Expected a time: ${MOMENT_HELP}.`);
  }
  return wallMs;
}

/** `14:07:10`, with its date when that is not today's; in local time. */
export function formatMoment(iso: string, nowMs: number): string {
  const moment = new Date(iso);
  const time = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(twoDigits);
  const isToday = moment.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time.join(':') : `${formatDate(moment)} ${time.join(':')}`;
}

/** `14:07:10 (12 min ago)`. */
export function formatPast(iso: string, nowMs: number): string {
  return `${formatMoment(iso, nowMs)} (${formatSpan(nowMs - Date.parse(iso))} ago)`;
}

/** `16:07:10 (in 2 h)`. */
export function formatFuture(iso: string, nowMs: number): string {
  return `${formatMoment(iso, nowMs)} (in ${formatSpan(Date.parse(iso) - nowMs)})`;
}

/** One unit is precise enough for people: `45 s`, `12 min`, `3 h`, `2 d`. */
function formatSpan(spanMs: number): string {
  const seconds = Math.max(0, Math.round(spanMs / 1_000));
  const minutes = Math.round(seconds / 60);
  const hours = Math.round(seconds / 3_600);
  if (seconds < 120) {
    return `${seconds} s`;
  }
  if (minutes < 120) {
    return `${minutes} min`;
  }
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/** The times that stand within a sentence of the service, in local time. */
export function localizeTimes(text: string, nowMs: number): string {
  return text.replaceAll(
    /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z/g,
    (iso) => formatMoment(iso, nowMs),
  );
}

function formatDate(moment: Date): string {
  return [moment.getFullYear(), twoDigits(moment.getMonth() + 1), twoDigits(moment.getDate())].join(
    '-',
  );
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
