/** What the commands print for people: aligned, and in colors where a terminal shows them. */

import { stripVTControlCharacters, styleText } from 'node:util';
import { print } from './print.ts';

/** `bad`: a person must act now. `warn`: look tomorrow. */
export type Tone = 'bad' | 'warn' | 'good' | 'strong' | 'faint';

const STYLES = {
  bad: ['red', 'bold'],
  warn: ['yellow'],
  good: ['green'],
  strong: ['bold'],
  faint: ['gray'],
} as const;

/** Colored on a terminal, unless NO_COLOR says otherwise. @see https://no-color.org */
export function paint(tone: Tone, text: string): string {
  return styleText([...STYLES[tone]], text, { stream: process.stdout });
}

/** Prints rows with their columns one below the other. */
export function printTable(rows: readonly (readonly string[])[], indent = ''): void {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  for (const row of rows) {
    const cells = row.map(
      (cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
    );
    print(`${indent}${cells.join('  ')}`.trimEnd());
  }
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

/** Whoever reads the output may have seen enough: that is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      throw error;
    }
    process.exit();
  });
}
