import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ConflictError,
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../../src/control/errors.ts';
import { describeFailure } from '../../src/xen/dom0-answer.ts';
import { formatRequest } from '../../src/xen/dom0-request.ts';

describe('a request', () => {
  test('is its verb and its values in their order', () => {
    expect(formatRequest('inspect')).toBe('inspect');
    expect(
      formatRequest('fence', { shard: 'main', ramdisk: undefined, term: '1795500000.3' }),
    ).toBe('fence shard=main term=1795500000.3');
  });

  test.each([
    ['a space', 'a b'],
    ['a quote', "a'"],
    ['a semicolon', 'a;reboot'],
    ['a command in it', '$(reboot)'],
    ['a newline', 'a\nreboot'],
    ['nothing', ''],
    ['another alphabet', 'nöde'],
    ['a sign of equality', 'a=b'],
    ['a wildcard', '*'],
    ['too much', 'x'.repeat(4096)],
  ])('with %s in a value is never sent', (_situation, value) => {
    expect(() => formatRequest('pause', { name: value })).toThrow(RefusedError);
  });

  test('never holds anything that a shell would read', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        let line = '';
        try {
          line = formatRequest('pause', { name: value });
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedError);
        }
        expect(line).toMatch(/^[A-Za-z0-9._:/@+ =-]*$/);
      }),
    );
  });
});

describe('an answer that is no success', () => {
  const refusal = (code: number, word: string) => ({
    code,
    stdout: '',
    stderr: `Parsing config from x\nrackfire-dom0: ${word}: so it is\n`,
  });

  test.each([
    [2, 'no-request', RefusedError, 'env_keep'],
    [2, 'bad-request', RefusedError, 'install the rackfire-dom0 of this release'],
    [2, 'bad-value', RefusedError, 'docs/xen.md'],
    [2, 'forbidden', RefusedError, 'BRIDGES'],
    [3, 'name-taken', ConflictError, 'rename it'],
    [3, 'uuid-taken', ConflictError, 'xl list -v'],
    [3, 'address-taken', ConflictError, 'who uses the address'],
    [3, 'disk-in-use', ConflictError, 'xl block-list'],
    [3, 'not-ours', ConflictError, 'no mark'],
    [4, 'no-memory', RefusedError, 'free_memory'],
    [4, 'no-disk', RefusedError, 'make room'],
    [4, 'no-image', RefusedError, 'golden image'],
    [4, 'no-kernel', RefusedError, 'ramdisk'],
    [4, 'no-bridge', RefusedError, 'make the bridge'],
    [4, 'bad-kernel', RefusedError, 'pvh'],
    [4, 'create-failed', RefusedError, 'xl dmesg'],
    [4, 'restore-failed', RefusedError, 'another one booted'],
    [4, 'save-failed', RefusedError, 'make room'],
    [5, 'not-there', PreconditionError, 'next look'],
    [5, 'busy', PreconditionError, 'still carried out'],
    [5, 'not-fenced', PreconditionError, 'shown'],
    [5, 'stale-term', PreconditionError, 'end one of two Rackfires'],
    [6, 'destroy-failed', OutcomeUnknownError, 'xl destroy'],
    [6, 'xl-failed', OutcomeUnknownError, 'mend what it names'],
    [4, 'of-a-newer-wrapper', RefusedError, 'another host'],
  ])('exit %i with %s says what follows, and what to do', (exit, word, errorClass, nextStep) => {
    const ordered = describeFailure('xen-1', 'create a-web-1', 'order', refusal(exit, word));
    const asked = describeFailure('xen-1', 'inspect', 'question', refusal(exit, word));

    expect(ordered).toBeInstanceOf(errorClass);
    expect(ordered.message).toMatch(`xen-1: create a-web-1: ${word}: so it is; `);
    expect(ordered.message).toContain(nextStep);
    expect(asked).toBeInstanceOf(UnreachableError);
  });

  test.each([
    ['the connection’s own', 255, '', ''],
    ['no such command', 127, '', 'bash: line 1: create: command not found'],
    ['of a shell that cannot read its script', 2, '', 'sh: 3: Syntax error: "fi" unexpected'],
    ['killed', 137, '', ''],
    ['a refusal with a success of another kind', 1, '', 'rackfire-dom0: no-memory: x'],
    ['half a line', 4, '', 'rackfire-dom0: no-mem'],
    ['binary', 4, '\u0000\u001b[2J', ''],
  ])(
    'exit %s is nobody’s word: an order may have been carried out',
    (_situation, code, stdout, stderr) => {
      const garbage = { code, stdout, stderr };

      const ordered = describeFailure('xen-1', 'create a-web-1', 'order', garbage);

      expect(ordered).toBeInstanceOf(OutcomeUnknownError);
      expect(ordered.message).toMatch(/installed and executable there.*forced command of this key/);
      expect(ordered.message).toMatch(/^[\x20-\x7e]+$/);
      expect(describeFailure('xen-1', 'inspect', 'question', garbage)).toBeInstanceOf(
        UnreachableError,
      );
    },
  );

  test('is told in one line of bounded length, whatever the host says', () => {
    const stderr = `rackfire-dom0: no-memory: ${'\u001b[31m'.repeat(1_000)}`;

    const { message } = describeFailure('xen-1', 'x', 'order', { code: 4, stdout: '', stderr });

    expect(message.length).toBeLessThan(600);
    expect(message).not.toContain('\u001b');
  });
});
