/** Carries tasks out, one at a time, until its parent ends it. */

import { parentPort, workerData } from 'node:worker_threads';
import { carryOut, type Task, type Traces } from './task.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whoever starts this thread gives it these
const traces = workerData as Traces;

parentPort?.on('message', (task: Task) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has none
  parentPort?.postMessage(carryOut(task, traces));
});
