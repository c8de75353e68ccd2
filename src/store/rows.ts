/** Values of a row of SQLite, which knows no types; another one than the schema says is damage. */

import type { SQLOutputValue } from 'node:sqlite';
import { DamagedJournalError } from './problems.ts';

export type Row = Record<string, SQLOutputValue> | undefined;

export function integerOf(row: Row, column: string): number {
  const value = row?.[column];
  return typeof value === 'number' ? value : refuse(column, value);
}

export function textOf(row: Row, column: string): string {
  const value = row?.[column];
  return typeof value === 'string' ? value : refuse(column, value);
}

export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row?.[column];
  return value instanceof Uint8Array ? value : refuse(column, value);
}

function refuse(column: string, value: unknown): never {
  throw new DamagedJournalError(`the column ${column} holds ${typeof value}`);
}
