import { expect, test } from 'vitest';
import { describeFields } from '../../src/cli/event-fields.ts';

test.each([
  {
    what: 'words and numbers, empty lists left out',
    fields: { node: 'news-web-1', needNodes: 4.8432, reason: 'two words', removedTiers: [] },
    says: 'node=news-web-1 needNodes=4.84 reason="two words"',
  },
  {
    what: 'an error by its message',
    fields: {
      balancer: 'lb-a',
      err: { type: 'UnreachableError', code: 'unreachable', message: 'it did not answer in time' },
    },
    says: 'balancer=lb-a  it did not answer in time',
  },
  {
    what: 'the problems of a refused config, each once, as check says them',
    fields: {
      message: 'a.yaml:18:31 nodes.max: expected a number, got "1O"\na.yaml:1:1 not valid YAML',
      problems: [
        { file: 'a.yaml', line: 18, column: 31, path: 'nodes.max', message: 'got "1O"' },
        { file: 'a.yaml', line: 1, column: 1, path: '', message: 'not valid YAML' },
      ],
    },
    says: 'a.yaml:18:31 nodes.max: got "1O"; a.yaml:1:1 not valid YAML',
  },
  {
    what: 'a config that cannot be read at all',
    fields: { message: 'cannot read the config file a.yaml', problems: [] },
    says: 'cannot read the config file a.yaml',
  },
  {
    what: 'what a reload changed, as plan --against says it',
    fields: {
      changes: [
        { path: 'limits.maxNodes', from: '200', to: '10' },
        { path: 'x', to: '1' },
      ],
      atNextStart: [],
    },
    says: 'limits.maxNodes: 200 → 10; x: not there → 1',
  },
  {
    what: 'lists and sections',
    fields: {
      stages: [
        { reason: 'converged', fromNodes: 5, toNodes: 5 },
        { reason: 'schedule', fromNodes: 5, toNodes: 7, schedule: { cron: '6 11 * * *' } },
      ],
      err: 'only text',
    },
    says: 'stages=[{reason=converged fromNodes=5 toNodes=5}, {reason=schedule fromNodes=5 toNodes=7 schedule={cron="6 11 * * *"}}] err="only text"',
  },
])('an event for a person: $what', ({ fields, says }) => {
  expect(describeFields(fields)).toBe(says);
});
