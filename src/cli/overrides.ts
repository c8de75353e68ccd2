/** The commands by which an operator has the last word, for a while: pause, hold, min, protect, drain, resume. */

import { Argument, type Command, InvalidArgumentError } from 'commander';
import { durationPattern, expectedDuration } from '../config/units.ts';
import {
  GivenAnswer,
  type OverrideAnswer,
  OverridesAnswer,
  WithdrawnAnswer,
} from '../http/override-answer.ts';
import { describeOverride, nameOverride } from './describe-override.ts';
import { print, say } from './print.ts';
import {
  addServiceOptions,
  addTokenOption,
  ServiceClient,
  type ServiceOptions,
} from './service-client.ts';
import { listScaledTiers } from './targets.ts';

/** How long, and why. */
export interface GiveOptions extends ServiceOptions {
  readonly for: string;
  readonly reason: string;
}

/** What is said, but for whom, how long and why. */
type Word =
  | { readonly kind: 'pause'; readonly direction: string }
  | { readonly kind: 'hold' | 'min'; readonly nodes: number };

const TARGET = 'a tier, or all scaled tiers of a cluster';

export function addOverrides(program: Command): void {
  addGiving(
    program
      .command('pause')
      .description('pause scale-in, scale-out or all scaling of a tier, for a while')
      .addArgument(new Argument('<direction>', 'what is paused').choices(['in', 'out', 'all']))
      .argument('<cluster[/tier]>', TARGET),
  ).action(async (direction: string, name: string, options: GiveOptions) => {
    await giveTiers(name, { kind: 'pause', direction }, options);
  });
  for (const [kind, description] of [
    ['hold', 'keep a tier at so many nodes, for a while'],
    ['min', 'keep a tier at so many nodes or more, for a while'],
  ] as const) {
    addGiving(
      program
        .command(kind)
        .description(description)
        .argument('<nodes>', 'how many', parseNodes)
        .argument('<cluster[/tier]>', TARGET),
    ).action(async (nodes: number, name: string, options: GiveOptions) => {
      await giveTiers(name, { kind, nodes }, options);
    });
  }
  for (const [kind, description] of [
    ['protect', 'never drain, pause or destroy a node, for a while'],
    ['drain', 'replace a node, drain it, and destroy it when it is quiet'],
  ] as const) {
    addGiving(
      program
        .command(kind)
        .description(description)
        .argument(
          '<node>',
          'its name, such as news-web-3; the next node of this name is another one',
        ),
    ).action(async (node: string, options: GiveOptions) => {
      const client = await ServiceClient.create(options);
      await give(client, { kind, node }, options);
    });
  }
  addResume(program);
}

/** What every override asks for. */
export function addGiving(command: Command): Command {
  return addServiceOptions(addTokenOption(command))
    .requiredOption('--for <duration>', 'how long, from 1m to 7d: 90s, 2h', parseDuration)
    .requiredOption('--reason <text>', 'why; it stands wherever the override shows');
}

function addResume(program: Command): void {
  const command = program
    .command('resume')
    .description('withdraw overrides before their time')
    .argument(
      '<what>',
      'the id of one (o7), or all of a CLUSTER[/TIER], a NODE, a HOST or a BALANCER',
    );
  addServiceOptions(addTokenOption(command)).action(
    async (what: string, options: ServiceOptions) => {
      await resume(what, options);
    },
  );
}

async function giveTiers(name: string, word: Word, options: GiveOptions): Promise<void> {
  const client = await ServiceClient.create(options);
  for (const tier of await listScaledTiers(client, name)) {
    await give(client, { ...word, tier }, options);
  }
}

/** Says it to the service, and prints what holds from now on. */
export async function give(
  client: ServiceClient,
  word: object,
  options: GiveOptions,
): Promise<void> {
  const body = { ...word, for: options.for, reason: options.reason };
  const { text, value } = await client.post('/api/v1/overrides', body, GivenAnswer);
  const { override } = value;
  print(options.json === true ? text : describeOverride(override, Date.parse(override.givenAt)));
  if (!value.kept) {
    say(`rackfire: ${override.id} will not survive a restart, the journal cannot keep it`);
  }
}

/** @throws Error when there is nothing to withdraw. */
async function resume(what: string, options: ServiceOptions): Promise<void> {
  const client = await ServiceClient.create(options);
  const { value } = await client.get('/api/v1/overrides', OverridesAnswer);
  const meant = findMeant(value.overrides, what);
  if (meant.length === 0) {
    const others = value.overrides.map(
      ({ id, tier, node, host, balancer }) => `${id} of ${node ?? host ?? balancer ?? tier}`,
    );
    throw new Error(
      `there is no override of ${what}; ${others.length === 0 ? 'none is in force' : `in force: ${others.join(', ')}`}`,
    );
  }
  await withdraw(client, meant, options);
}

/** Ends overrides before their time, and prints which. */
export async function withdraw(
  client: ServiceClient,
  overrides: readonly OverrideAnswer[],
  options: ServiceOptions,
): Promise<void> {
  for (const { id } of overrides) {
    const { text, value } = await client.delete(`/api/v1/overrides/${id}`, WithdrawnAnswer);
    const { override } = value;
    print(
      options.json === true ? text : `withdrawn ${nameOverride(override)} (${override.reason})`,
    );
  }
}

function findMeant(overrides: readonly OverrideAnswer[], what: string): readonly OverrideAnswer[] {
  const byId = overrides.filter(({ id }) => id === what);
  return byId.length > 0
    ? byId
    : overrides.filter(
        ({ tier, node, host, balancer }) =>
          [tier, node, host, balancer].includes(what) || tier?.startsWith(`${what}/`) === true,
      );
}

function parseNodes(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,3})$/.test(text)) {
    throw new InvalidArgumentError('Expected a number of nodes.');
  }
  return Number(text);
}

function parseDuration(text: string): string {
  if (!durationPattern.test(text)) {
    throw new InvalidArgumentError(`Expected ${expectedDuration}.`);
  }
  return text;
}
