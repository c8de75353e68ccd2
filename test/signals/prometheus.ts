/** A real Prometheus with a folder of its own, asked by its HTTP API. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { z } from 'zod';

const READY_DEADLINE_MS = 30_000;
const QUERY_DEADLINE_MS = 20_000;

/** One line of what a query returns. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of time. Prometheus leaves out moments without a sample; NaN is a sample. */
  readonly points: readonly Point[];
}

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

const Sample = z.tuple([z.number(), z.string()]);
const Labels = z.record(z.string(), z.string());
const QueryAnswer = z.object({
  data: z.discriminatedUnion('resultType', [
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: Labels, value: Sample })),
    }),
    z.object({
      resultType: z.literal('matrix'),
      result: z.array(z.object({ metric: Labels, values: z.array(Sample) })),
    }),
    z.object({ resultType: z.literal('scalar'), result: Sample }),
  ]),
});
const ValuesAnswer = z.object({ data: z.array(z.string()) });

export interface PrometheusOptions {
  /** Host and port of who is scraped each second, as job `rackfire`. */
  readonly target: string;
  readonly ruleFiles?: readonly string[];
}

export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @throws Error with what it printed, when it does not serve within 30 s. */
  static async start({ target, ruleFiles = [] }: PrometheusOptions): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'rackfire-prometheus-'));
    const configFile = join(folder, 'prometheus.yml');
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: 'rackfire', static_configs: [{ targets: [target] }] }],
    };
    await writeFile(configFile, stringify(config));
    const args = [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ];
    const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      return new Prometheus(await readAddress(child), child, folder);
    } catch (error) {
      await end(child, folder);
      throw error;
    }
  }

  /** @returns The series at that moment, each with one point. @throws Error with Prometheus' own words. */
  async at(expression: string, atMs: number): Promise<readonly Series[]> {
    return await this.#query('query', { query: expression, time: atMs / 1000 });
  }

  /** @returns The series of a range, a point a step. @throws Error with Prometheus' own words. */
  async during(expression: string, range: Range): Promise<readonly Series[]> {
    const { fromMs, toMs, stepSeconds } = range;
    const start = fromMs / 1000;
    const question = { query: expression, start, end: toMs / 1000, step: stepSeconds };
    return await this.#query('query_range', question);
  }

  /** @returns The values that a label has in series of this selector, sorted. */
  async valuesOf(label: string, selector: string): Promise<readonly string[]> {
    const answer = await this.#ask(`label/${label}/values`, { 'match[]': selector });
    return ValuesAnswer.parse(answer).data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child, this.#folder);
  }

  async #query(
    path: string,
    question: Readonly<Record<string, string | number>>,
  ): Promise<readonly Series[]> {
    const { data } = QueryAnswer.parse(await this.#ask(path, question));
    switch (data.resultType) {
      case 'vector':
        return data.result.map(({ metric, value }) => ({
          labels: metric,
          points: [toPoint(value)],
        }));
      case 'matrix':
        return data.result.map(({ metric, values }) => ({
          labels: metric,
          points: values.map(toPoint),
        }));
      case 'scalar':
        return [{ labels: {}, points: [toPoint(data.result)] }];
    }
  }

  async #ask(path: string, question: Readonly<Record<string, string | number>>): Promise<unknown> {
    const url = new URL(`/api/v1/${path}`, this.url);
    for (const [name, value] of Object.entries(question)) {
      url.searchParams.set(name, String(value));
    }
    const answer = await fetch(url, { signal: AbortSignal.timeout(QUERY_DEADLINE_MS) });
    const data: unknown = await answer.json();
    if (!answer.ok) {
      throw new Error(`Prometheus refuses ${JSON.stringify(question)}: ${JSON.stringify(data)}`);
    }
    return data;
  }
}

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepSeconds: number;
}

function toPoint([atSeconds, text]: readonly [number, string]): Point {
  const value = Number(text.replace('Inf', 'Infinity'));
  return { atMs: Math.round(atSeconds * 1000), value };
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  await rm(folder, { recursive: true, force: true });
}

/** The system chooses the port; its log says which one, and that it is ready after that. */
async function readAddress(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  let url: string | undefined;
  const lines = createInterface({ input: child.stderr! });
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_DEADLINE_MS);
  child.on('error', (error) => {
    said.push(`${String(error)}: scripts/setup installs it`);
    lines.close();
  });
  try {
    for await (const line of lines) {
      said.push(line);
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? [];
      url ??= address && `http://${address}`;
      if (url !== undefined && line.includes('Server is ready')) {
        // What it says later must not fill the pipe.
        child.stderr?.resume();
        return url;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`Prometheus did not start: ${said.join('\n')}`);
}
