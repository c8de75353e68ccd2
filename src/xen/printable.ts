/** One short line of what another machine has said, for logs and terminals. */
export function printable(text: string): string {
  const line = text.trim().replaceAll(/[^\x20-\x7e]+/g, ' ');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
