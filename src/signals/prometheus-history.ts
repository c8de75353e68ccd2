/** Recorded rates out of a Prometheus, by its range queries. */

import axios, { type AxiosResponse, isAxiosError, isCancel } from 'axios';
import { z } from 'zod';
import { ConfigError, UnreachableError } from '../control/errors.ts';

export interface HistoryQuestion {
  /** Where its API is: `http://` or `https://`, host and port, and the path before `/api/v1` if there is one. */
  readonly url: string;
  /** PromQL for one series of requests per second. */
  readonly query: string;
  /** Wall clock; both ends belong to it. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly stepMs: number;
  /** Called after each part with how many of them have come. */
  readonly onPart?: (parts: number, of: number) => void;
}

/** What was measured at one moment, in requests per second. */
export interface RecordedRate {
  /** Wall clock. */
  readonly atMs: number;
  readonly rps: number;
}

interface Part {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Prometheus refuses a question for more. @see https://prometheus.io/docs/prometheus/latest/querying/api/ */
export const MOST_POINTS = 11_000;

/** Prometheus itself gives a query up after 2 min. */
const ANSWER_TIMEOUT_MS = 130_000;
/** {@link MOST_POINTS} of one series are 400 KB; whoever asks for many series by mistake gets an error all the same. */
const LARGEST_ANSWER_BYTES = 64 * 2 ** 20;

/** A metric that by its name is a counter, and what makes a rate of one. */
const COUNTER_NAME = /\b[a-zA-Z_:][\w:]*_total\b/;
const RATE_OF = /\b(?:rate|irate|increase|delta|idelta|deriv)\s*\(/;
/** A rate that grows so often and never falls is a counter. */
const COUNTER_RISES = 60;
/** A counter that falls has begun anew, near 0. */
const RESET_SHARE = 0.1;

const Series = z.object({
  metric: z.record(z.string(), z.string()),
  values: z.array(z.tuple([z.number(), z.string()])),
});
const Matrix = z.object({
  status: z.literal('success'),
  data: z.object({ resultType: z.literal('matrix'), result: z.array(Series) }),
});
const Refusal = z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() });

type Series = z.output<typeof Series>;

/**
 * Reads what was recorded, one value each step where there is one, in the order of time. Where Prometheus has
 * nothing, nothing stands: it is up to the caller what a gap means.
 *
 * @throws ConfigError when the query cannot be used: refused, no series or several, no number, a counter.
 * UnreachableError when no Prometheus answers there, or it fails.
 */
export async function readHistory(question: HistoryQuestion): Promise<readonly RecordedRate[]> {
  const { query } = question;
  refuseCounterName(query);
  const rates = await readRates(question);
  if (rates.length === 0) {
    throw new ConfigError(
      `the query ${quote(query)} gives no series from ${isoOf(question.fromMs)} to ${isoOf(question.untilMs)}: is it the name of a metric that ${readUrl(question.url)} scrapes, and does it keep that time still (15 days, unless its --storage.tsdb.retention.time says otherwise)?`,
    );
  }
  refuseCounter(query, rates);
  return rates;
}

/** At which moments of the grid a query has a value, in the order of time; maybe at none. @throws As `readHistory`. */
export async function readMoments(question: HistoryQuestion): Promise<readonly number[]> {
  return (await readRates(question)).map(({ atMs }) => atMs);
}

async function readRates(question: HistoryQuestion): Promise<readonly RecordedRate[]> {
  const { query, onPart } = question;
  const url = readUrl(question.url);
  const parts = splitRange(question);
  const rates: RecordedRate[] = [];
  let known: Series | undefined;
  for (const [index, part] of parts.entries()) {
    const series = onlyOf(query, await askRange(url, question, part), known);
    known ??= series;
    for (const [atSeconds, text] of series?.values ?? []) {
      rates.push({ atMs: Math.round(atSeconds * 1_000), rps: readRate(query, atSeconds, text) });
    }
    onPart?.(index + 1, parts.length);
  }
  return rates;
}

/**
 * The questions that make up a range: none asks for more than {@link MOST_POINTS}, and each moment of the grid
 * – `fromMs` and every step from there – is asked for exactly once.
 */
export function splitRange({
  fromMs,
  untilMs,
  stepMs,
}: Pick<HistoryQuestion, 'fromMs' | 'untilMs' | 'stepMs'>): readonly Part[] {
  const points = Math.floor((untilMs - fromMs) / stepMs) + 1;
  const parts: Part[] = [];
  for (let first = 0; first < points; first += MOST_POINTS) {
    const last = Math.min(first + MOST_POINTS, points) - 1;
    parts.push({ fromMs: fromMs + first * stepMs, untilMs: fromMs + last * stepMs });
  }
  return parts;
}

async function askRange(
  url: string,
  { query, stepMs }: HistoryQuestion,
  { fromMs, untilMs }: Part,
): Promise<readonly Series[]> {
  const params = {
    query,
    start: (fromMs / 1_000).toFixed(3),
    end: (untilMs / 1_000).toFixed(3),
    step: (stepMs / 1_000).toFixed(3),
  };
  let response: AxiosResponse<string>;
  try {
    response = await axios.get<string>(`${url}/api/v1/query_range`, {
      params,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      maxRedirects: 0,
      proxy: false,
      maxContentLength: LARGEST_ANSWER_BYTES,
      responseType: 'text',
      transformResponse: (text: unknown) => text,
      validateStatus: () => true,
    });
  } catch (error) {
    throw new UnreachableError(`no Prometheus answers at ${url}: ${describe(error)}`, {
      cause: error,
    });
  }
  const { status, data } = response;
  const body = parseJson(data);
  const matrix = Matrix.safeParse(body);
  if (status === 200 && matrix.success) {
    return matrix.data.data.result;
  }
  throw errorOf(url, query, { status, body, text: data });
}

/** Whoever asked wrongly is told so by 400 and 422; everything else is no answer. */
function errorOf(
  url: string,
  query: string,
  {
    status,
    body,
    text,
  }: { readonly status: number; readonly body: unknown; readonly text: string },
): Error {
  const refusal = Refusal.safeParse(body);
  if (!refusal.success) {
    const found = text.trim() === '' ? 'nothing else' : quote(text);
    return new UnreachableError(
      `what answers at ${url} is no Prometheus: status ${status}, ${found}; expected the URL under which it has /api/v1`,
    );
  }
  const said = `${refusal.data.errorType}: ${quote(refusal.data.error)}`;
  return status === 400 || status === 422
    ? new ConfigError(`Prometheus refuses the query ${quote(query)} (${status} ${said})`)
    : new UnreachableError(`Prometheus at ${url} fails (${status} ${said})`);
}

/** @param known - The one of an earlier part: another one now is another series. */
function onlyOf(
  query: string,
  found: readonly Series[],
  known: Series | undefined,
): Series | undefined {
  const all = new Set([known, ...found].flatMap((one) => (one ? [labelsOf(one)] : [])));
  if (all.size > 1) {
    const [one, other] = all;
    throw new ConfigError(
      `the query ${quote(query)} gives several series, ${one} and ${other}${all.size > 2 ? ` among ${all.size}` : ''}: one is needed, such as sum(${query})`,
    );
  }
  return found[0];
}

function labelsOf({ metric }: Series): string {
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${quote(value)}`);
  return `${name}{${pairs.join(',')}}`;
}

function readRate(query: string, atSeconds: number, text: string): number {
  const rps = Number(text);
  if (!Number.isFinite(rps) || rps < 0) {
    throw new ConfigError(
      `the query ${quote(query)} gives ${quote(text)} at ${isoOf(atSeconds * 1_000)}: expected requests per second, a number of at least 0`,
    );
  }
  return rps;
}

function refuseCounterName(query: string): void {
  const [name] = COUNTER_NAME.exec(query) ?? [];
  if (name !== undefined && !RATE_OF.test(query)) {
    throw refusedCounter(query, `${name} is a counter by its name`);
  }
}

/** Of a counter that is called like anything else, the values tell. */
function refuseCounter(query: string, rates: readonly RecordedRate[]): void {
  let rises = 0;
  let before = rates[0]?.rps ?? 0;
  for (const { rps } of rates) {
    if (rps < before && rps > before * RESET_SHARE) {
      return;
    }
    rises += rps > before ? 1 : 0;
    before = rps;
  }
  if (rises >= COUNTER_RISES) {
    throw refusedCounter(
      query,
      `its value grew ${rises} times and fell only to begin anew, as a counter's does`,
    );
  }
}

function refusedCounter(query: string, why: string): ConfigError {
  return new ConfigError(
    `the query ${quote(query)} gives a count, not a rate (${why}): expected requests per second, such as sum(rate(METRIC[1m]))`,
  );
}

/** @throws ConfigError. Not quoted: there may be a password in it. */
function readUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === '';
  if (!isPlain) {
    throw new ConfigError(
      'the URL of a Prometheus is its scheme, host, port and path, as http://127.0.0.1:9090, without user and query',
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function describe(error: unknown): string {
  if (isCancel(error)) {
    return `none within ${ANSWER_TIMEOUT_MS / 1_000} s`;
  }
  if (isAxiosError(error) && error.code === 'ECONNREFUSED') {
    return 'nobody listens there';
  }
  return error instanceof Error && error.message !== '' ? error.message : 'the connection broke';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What others have written must neither command the terminal nor fill it. */
function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
