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

describe('readSignals', () => {
  test('sums what two balancers say', () => {
    const reports = [
      { report: reportOf(), ageMs: 0 },
      { report: reportOf(), ageMs: 900 },
    ];

    expect(readSignals(reports)).toEqual({
      requestRate: { status: 'ok', value: 200 },
      queue: { status: 'ok', value: { requests: 14, servedRps: 180 } },
      slots: { status: 'ok', value: { used: 24, total: 40 } },
    });
  });

  test.each<[string, AgedReport, string]>([
    ['that has been silent for long', { report: reportOf(), ageMs: 60_000 }, 'partial'],
    ['without the backend', { report: undefined, ageMs: 0 }, 'partial'],
    ['that has just become silent', { report: reportOf(), ageMs: 5_000 }, 'stale'],
  ])('one %s makes the sum no better than it', (_, second, status) => {
    const signals = readSignals([{ report: reportOf(), ageMs: 0 }, second]);

    expect(signals.requestRate.status).toBe(status);
    expect(signals.queue.status).toBe(status);
    expect(signals.slots.status).toBe(status);
  });

  test('what waited at a balancer that is long silent is not counted', () => {
    const reports = [
      { report: reportOf({ queued: 1_000 }), ageMs: 60_000 },
      { report: reportOf({ queued: 3 }), ageMs: 0 },
    ];

    expect(readSignals(reports).queue).toMatchObject({ value: { requests: 3 } });
  });

  test('no balancer, no signal', () => {
    expect(readSignals([]).requestRate.status).toBe('absent');
  });
});
