/** A line for whoever reads the result. Progress and complaints go to standard error instead. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON object on one line, for scripts. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** Progress goes to standard error: what a command prints on standard output alone is its result. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
