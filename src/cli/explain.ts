import type { Command } from 'commander';
import { ExplanationAnswer } from '../http/explanation-answer.ts';
import { formatMoment, localizeTimes, MOMENT_HELP, parseMoment } from './moments.ts';
import { endWithReader, paint, printTable } from './page.ts';
import { print } from './print.ts';
import { addServiceOptions, ServiceClient, type ServiceOptions } from './service-client.ts';
import { listScaledTiers } from './targets.ts';

interface ExplainOptions extends ServiceOptions {
  readonly at?: number;
}

/** `rackfire explain`: why did it, or did it not, scale? */
export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('why a tier did, or did not, scale, and what would have to be otherwise')
    .argument('<cluster[/tier]>', 'a tier, or all scaled tiers of a cluster')
    .option('--at <time>', `a moment of the past: ${MOMENT_HELP}`, (text) =>
      parseMoment(text, Date.now()),
    );
  addServiceOptions(command).action(async (name: string, options: ExplainOptions) => {
    await explain(name, options);
  });
}

async function explain(name: string, options: ExplainOptions): Promise<void> {
  endWithReader();
  const client = await ServiceClient.create(options);
  const query = options.at === undefined ? '' : `?at=${endOfSecond(options.at)}`;
  for (const tier of await listScaledTiers(client, name)) {
    const path = `/api/v1/tiers/${encodeURI(tier)}/explanation${query}`;
    const { text, value } = await client.get(path, ExplanationAnswer);
    if (options.json === true) {
      print(text);
    } else {
      printExplanation(value);
    }
  }
}

/** Who read 14:07:10 somewhere means whatever happened within that second. */
function endOfSecond(wallMs: number): number {
  return Math.floor(wallMs / 1_000) * 1_000 + 999;
}

function printExplanation({
  tier,
  source,
  decision,
  headline,
  steps,
  whatIf,
}: ExplanationAnswer): void {
  // Its own day goes without saying within it.
  const decidedAtMs = Date.parse(decision.at);
  const which = source === 'latest' ? 'latest decision' : 'decision kept in the journal';
  print(
    `${paint('strong', tier)} at ${formatMoment(decision.at, Date.now())} ${paint('faint', `(${which})`)}`,
  );
  print(`  ${paint('strong', localizeTimes(headline, decidedAtMs))}`);
  const rows = [
    ...steps.map(({ stage, text }) => [paint('faint', stage), localizeTimes(text, decidedAtMs)]),
    ...whatIf.map((text) => [paint('faint', 'what if'), localizeTimes(text, decidedAtMs)]),
  ];
  // One line says one thing: a stage that is the same as in the line before is not said again.
  printTable(
    rows.map(([stage = '', text = ''], index) => [
      rows[index - 1]?.[0] === stage ? '' : stage,
      text,
    ]),
    '  ',
  );
}
