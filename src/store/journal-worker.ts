/** The journal's thread: see journal-thread.ts for its other end. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Keeper } from './keeper.ts';
import type { FromKeeper, KeeperOptions, ToKeeper } from './messages.ts';

/** Only `JournalThread` starts this file. */
function serve(port: MessagePort, options: KeeperOptions): void {
  const tell = (message: FromKeeper): void => port.postMessage(message);
  const keeper = new Keeper(options, (state) => tell({ type: 'state', ...state }));
  const pace = setInterval(() => keeper.flush(), options.paceMs);
  port.on('message', (message: ToKeeper) => {
    switch (message.type) {
      case 'records':
        keeper.take(message.records, message.nowMs);
        return tell({ type: 'taken', dropped: keeper.dropped });
      case 'question': {
        const { id, question, nowMs } = message;
        try {
          return tell({ type: 'answer', id, answer: keeper.answer(question, nowMs) });
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          return tell({ type: 'refusal', id, why });
        }
      }
      case 'close':
        clearInterval(pace);
        keeper.close();
        tell({ type: 'closed', dropped: keeper.dropped });
        // Nothing is left that keeps the thread alive.
        return port.close();
    }
  });
  keeper.flush();
}

if (parentPort !== null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whoever starts this thread gives it these
  serve(parentPort, workerData as KeeperOptions);
}
