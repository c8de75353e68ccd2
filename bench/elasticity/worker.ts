/** Carries tasks out, one at a time, until its parent ends it. */

import { parentPort, workerData } from 'node:worker_threads';
import { carryOut, type Task, type Traces } from './task.ts';

const traces = workerData as Traces;

parentPort?.on('message', (task: Task) => {
  parentPort?.postMessage(carryOut(task, traces));
});
