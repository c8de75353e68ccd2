import { expect, test } from 'vitest';
import { validateName } from '../../../src/balancer/haproxy/names.ts';
import { ConfigError } from '../../../src/control/errors.ts';

test.each(['news-web-1', 'web_2', 'a.b:c', 'x', 'n'.repeat(128)])('HAProxy takes %s', (name) => {
  expect(validateName('server', name)).toBe(name);
});

test.each([
  '',
  'web 1',
  'web;disable server news-web/news-web-1',
  'web\nshutdown sessions',
  'web\rx',
  'web#1',
  'web\\1',
  'web/1',
  'web"1',
  "web'1",
  'wéb',
  'web\u0000',
  'web\n',
  'n'.repeat(129),
])('a name that says more than a name is refused: %j', (name) => {
  expect(() => validateName('server', name)).toThrow(ConfigError);
});
