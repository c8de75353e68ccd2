/** A line for whoever reads the run. */
export function print(line: string): void {
  process.stdout.write(`xen: ${line}\n`);
}
