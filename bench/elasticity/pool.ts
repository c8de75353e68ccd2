import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Task, TaskResult, Traces } from './task.ts';

/**
 * Carries tasks out on all cores.
 *
 * @param onResult - Called after each, with the number of those that are done.
 * @returns The results, in the order of the tasks.
 */
export async function carryOutAll(
  tasks: readonly Task[],
  traces: Traces,
  onResult: (done: number) => void,
): Promise<readonly TaskResult[]> {
  const results: TaskResult[] = [];
  const waiting = [...tasks.entries()];
  let done = 0;
  const count = Math.max(1, Math.min(availableParallelism(), tasks.length));
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: traces });
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, task] = next;
        results[index] = await ask(worker, task);
        done += 1;
        onResult(done);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: count }, work));
  return results;
}

/** @throws What went wrong in the worker. */
async function ask(worker: Worker, task: Task): Promise<TaskResult> {
  const { promise, resolve, reject } = Promise.withResolvers<TaskResult>();
  worker.once('message', resolve);
  worker.once('error', reject);
  try {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    worker.postMessage(task);
    return await promise;
  } finally {
    worker.off('message', resolve);
    worker.off('error', reject);
  }
}
