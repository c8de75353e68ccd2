import type { Journal, JournalHealth } from './control/ports.ts';
export function openJournal(_: { onHealth: (h: JournalHealth) => void } & Record<string, unknown>): Journal {
  return {
    health: { state: 'failing', why: 'stub', sinceMs: 0, droppedRecords: 0 },
    appendTick: () => undefined, appendEvent: () => undefined,
    events: async () => [], decisionAt: async () => undefined, decisions: async () => [],
    loadOverrides: async () => [], saveOverride: async () => undefined, deleteOverride: async () => undefined, close: async () => undefined,
  };
}
