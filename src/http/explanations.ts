import { createRoute, z } from '@hono/zod-openapi';
import { formatDuration } from '../config/units.ts';
import type { KeptDecision } from '../control/ports.ts';
import type {
  Change,
  Counterfactuals,
  ScaleInAnswer,
  ScaleOutAnswer,
} from '../scaler/counterfactual.ts';
import { explain } from '../scaler/explain.ts';
import { ApiError, readErrors } from './api-error.ts';
import type { Api } from './app.ts';
import {
  type CounterfactualsAnswer,
  DecisionsAnswer,
  ExplanationAnswer,
  type Threshold,
} from './explanation-answer.ts';
import { askJournal } from './remembered.ts';
import type { ServiceView } from './service-view.ts';
import {
  describeShortfall,
  type FormatSteady,
  formatSteadyBy,
  formatSteadyOf,
  summarizeDecision,
} from './status.ts';
import { requireScaledTier } from './tiers.ts';
import { finiteOrNull, formatTime, limit, moment, TierPath } from './values.ts';

const explanationRoute = createRoute({
  method: 'get',
  path: '/api/v1/tiers/{cluster}/{tier}/explanation',
  operationId: 'explainTier',
  summary: 'Why a tier did, or did not, scale, and what would have to be otherwise',
  request: {
    params: TierPath,
    query: z.object({
      at: moment(
        'The latest kept decision at or before it; without it, the latest tick.',
      ).optional(),
    }),
  },
  responses: {
    200: {
      description: 'One decision, explained',
      content: { 'application/json': { schema: ExplanationAnswer } },
    },
    ...readErrors('invalid-request', 'unknown-tier', 'nothing-kept', 'journal-unavailable'),
  },
});

const decisionsRoute = createRoute({
  method: 'get',
  path: '/api/v1/tiers/{cluster}/{tier}/decisions',
  operationId: 'listDecisions',
  summary: 'What was decided for a tier, from the journal',
  request: {
    params: TierPath,
    query: z.object({
      since: moment('By default an hour before `until`.').optional(),
      until: moment('By default now.').optional(),
      limit: limit(1_000, 100),
    }),
  },
  responses: {
    200: {
      description: 'The latest decisions of that time',
      content: { 'application/json': { schema: DecisionsAnswer } },
    },
    ...readErrors('invalid-request', 'unknown-tier', 'journal-unavailable'),
  },
});

const HOUR_MS = 3_600_000;

export function addExplanations(api: Api, service: ServiceView): void {
  api.openapi(explanationRoute, async (context) => {
    const { cluster, tier } = context.req.valid('param');
    const { at } = context.req.valid('query');
    const key = `${cluster}/${tier}`;
    return context.json(
      at === undefined ? explainLatest(service, key) : await explainKept(service, key, at),
      200,
    );
  });
  api.openapi(decisionsRoute, async (context) => {
    const { cluster, tier } = context.req.valid('param');
    const query = context.req.valid('query');
    const key = requireScaledTier(service, `${cluster}/${tier}`);
    const untilMs = query.until ?? service.clock.wallMs();
    const fromMs = query.since ?? untilMs - HOUR_MS;
    const range = { fromMs, untilMs, limit: query.limit };
    const kept = await askJournal(service, (journal) => journal.decisions(key, range));
    return context.json({ tier: key, decisions: kept.map(describeDecision) }, 200);
  });
}

function explainLatest(service: ServiceView, key: string): ExplanationAnswer {
  const ticked = service.controller.ticks.get(requireScaledTier(service, key));
  if (ticked === undefined) {
    throw new ApiError('nothing-kept', `${key} has not been decided yet; try again in a second`);
  }
  return answer(ticked, 'latest', formatSteadyOf(service));
}

async function explainKept(
  service: ServiceView,
  key: string,
  atMs: number,
): Promise<ExplanationAnswer> {
  // A tier that is in no config any more may still be in the journal.
  const kept = await askJournal(service, (journal) => journal.decisionAt(key, atMs));
  if (kept === undefined) {
    requireScaledTier(service, key);
    throw new ApiError(
      'nothing-kept',
      `no decision of ${key} at or before ${formatTime(atMs)} is kept`,
    );
  }
  return answer(kept, 'journal', formatSteadyBy(kept.atMs - kept.observation.atMs));
}

function answer(
  decided: Omit<KeptDecision, 'atMs'>,
  source: ExplanationAnswer['source'],
  format: FormatSteady,
): ExplanationAnswer {
  const { headline, steps, counterfactuals, whatIf } = explain({ ...decided, formatTime: format });
  const { decision } = decided.tick;
  return {
    tier: decision.tier,
    source,
    mode: decided.mode,
    decision: summarizeDecision(decision, format),
    headline,
    steps,
    counterfactuals: describeCounterfactuals(counterfactuals, format),
    whatIf,
  };
}

function describeCounterfactuals(
  found: Counterfactuals,
  format: FormatSteady,
): CounterfactualsAnswer {
  const { ifRateStays, resolutionRps, horizonMs, assumes, blocked } = found;
  const change = (one: Change | undefined) =>
    one === undefined ? null : { at: format(one.atMs), toNodes: one.toNodes };
  return {
    resolutionRps,
    horizon: formatDuration(horizonMs),
    scaleOut: describeThreshold(found.scaleOut, format),
    scaleIn: describeThreshold(found.scaleIn, format),
    ifRateStays:
      ifRateStays === undefined
        ? null
        : {
            rps: ifRateStays.rps,
            scaleOut: change(ifRateStays.scaleOut),
            scaleIn: change(ifRateStays.scaleIn),
          },
    assumes,
    blocked: describeShortfall(blocked),
  };
}

function describeThreshold(found: ScaleOutAnswer | ScaleInAnswer, format: FormatSteady): Threshold {
  return {
    when: found.when,
    rps: 'rps' in found ? found.rps : null,
    toNodes: 'toNodes' in found ? found.toNodes : null,
    at: 'atMs' in found ? format(found.atMs) : null,
    why: 'why' in found ? found.why : null,
    override: 'override' in found ? (found.override ?? null) : null,
  };
}

function describeDecision({ atMs, tick }: KeptDecision): DecisionsAnswer['decisions'][number] {
  const { direction, reason, currentNodes, desiredNodes, needNodes, stages } = tick.decision;
  return {
    at: formatTime(atMs),
    direction,
    reason,
    currentNodes,
    desiredNodes,
    needNodes: finiteOrNull(needNodes),
    stages: stages.map((stage) => ({ ...stage, override: stage.override ?? null })),
    actions: tick.actions.map((action) => ({
      kind: action.kind,
      node: action.node,
      host: 'host' in action ? action.host : null,
      reason: action.reason,
    })),
  };
}
