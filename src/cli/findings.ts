import type { checkBalancer } from '../compose.ts';
import { paint } from './page.ts';
import { print } from './print.ts';

/** One thing that was looked at, and what to do. */
export type Finding = Awaited<ReturnType<typeof checkBalancer>>[number];

const SIGNS = { ok: '✓', warn: '!', bad: '✗', unseen: '?' } as const;
const COLORS = { ok: 'good', warn: 'warn', bad: 'bad', unseen: 'warn' } as const;

/** A line for each, and below it the next step. */
export function printFindings(findings: readonly Finding[]): void {
  for (const { name, verdict, text, fix } of findings) {
    const line = `${name}: ${text}`;
    const sign = SIGNS[verdict];
    print(
      verdict === 'ok'
        ? `${paint('good', sign)} ${line}`
        : paint(COLORS[verdict], `${sign} ${line}`),
    );
    if (fix !== undefined) {
      print(`    ${fix}`);
    }
  }
}
