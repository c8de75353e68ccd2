/** How far a command is that takes its time: lines on a terminal, and nothing where nobody looks. */

import { say } from './print.ts';

const INTERVAL_MS = 2_000;
/** The real time is looked at once for so many seconds of virtual time. */
const LOOK_SECONDS = 2_000;

/** @returns Says a line at most every two seconds of real time; what is over sooner says nothing. */
export function createProgress(): (line: string) => void {
  let saidAtMs = performance.now();
  return (line) => {
    if (process.stderr.isTTY && performance.now() - saidAtMs >= INTERVAL_MS) {
      saidAtMs = performance.now();
      say(line);
    }
  };
}

/** Of a run in virtual time. */
export function reportSeconds(file: string, seconds: number): (passed: number) => void {
  const progress = createProgress();
  return (passed) => {
    if (passed % LOOK_SECONDS === 0) {
      progress(`${file}: ${passed} of ${seconds} s simulated`);
    }
  };
}
