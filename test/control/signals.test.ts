import { describe, expect, test } from 'vitest';
import type { BackendReport } from '../../src/control/ports.ts';
import { type AgedReport, readSignals } from '../../src/control/signals.ts';

function reportOf(changes: Partial<BackendReport> = {}): BackendReport {
  return {
    servers: [],
    requestRate: { status: 'ok', value: 100 },
    servedRate: { status: 'ok', value: 90 },
    queued: 7,
    usedSlots: 12,
    totalSlots: 20,
    ...changes,
  };
}

/** Of a balancer that answers; the latest rate is the only one. */
function said(changes: Partial<AgedReport> = {}): AgedReport {
  const report = 'report' in changes ? changes.report : reportOf();
  const rates = report === undefined ? [] : [report.requestRate];
  return { balancer: 'lb', ageMs: 0, answers: true, rates, ...changes, report };
}

const SILENT = { balancer: 'lb-b', answers: false } as const;

describe('readSignals', () => {
  test('sums what two balancers say; slots are those of the fullest, because each has its own', () => {
    const passive = reportOf({ usedSlots: 0 });
    const reports = [said({ ageMs: 900 }), said({ report: passive })];

    expect(readSignals(reports)).toEqual({
      requestRate: { status: 'ok', value: 200 },
      queue: { status: 'ok', value: { requests: 14, servedRps: 180 } },
      slots: { status: 'ok', value: { used: 12, total: 20 } },
    });
  });

  test.each<[string, AgedReport]>([
    ['that has been silent for long', said({ ...SILENT, ageMs: 60_000 })],
    ['without the backend', said({ report: undefined })],
    ['that has just become silent', said({ ...SILENT, ageMs: 5_000 })],
    ['whose last question has failed', said({ ...SILENT, ageMs: 500 })],
  ])('one %s makes the sum partial, and adds nothing to it', (_, second) => {
    const signals = readSignals([said(), second]);

    expect(signals.requestRate).toMatchObject({ status: 'partial', value: 100 });
    expect(signals.queue).toMatchObject({ status: 'partial', value: { requests: 7 } });
    expect(signals.slots).toMatchObject({ status: 'partial', value: { used: 12 } });
  });

  test('while none answers, what they said last counts', () => {
    const reports = [said({ answers: false, ageMs: 5_000 }), said({ ...SILENT, ageMs: 4_000 })];

    expect(readSignals(reports).requestRate).toEqual({ status: 'stale', value: 200, ageMs: 5_000 });
  });

  test('visitors who change to another balancer between two answers count once', () => {
    // All of the other's hundred came over after its last answer, and it is asked again in a moment.
    const grown = reportOf({ requestRate: { status: 'ok', value: 200 } });
    const rates = [reportOf().requestRate, grown.requestRate];
    const reports = [said({ ageMs: 500 }), said({ report: grown, rates })];

    expect(readSignals(reports).requestRate).toEqual({ status: 'ok', value: 200 });
  });

  test('no balancer, no signal', () => {
    expect(readSignals([]).requestRate.status).toBe('absent');
  });
});
