/** Server-sent events, as far as the service sends them. */

export interface SentEvent {
  /** `message` unless it says otherwise. */
  readonly type: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The service says something each 15 s; after so long it is gone without a word. */
const SILENCE_MS = 45_000;

/** No event is longer. */
const MAX_BUFFERED = 4_194_304;

/** @param stop - Aborted when the other end is silent, which ends the body. */
export async function* readSentEvents(
  body: ReadableStream<Uint8Array>,
  stop: AbortController,
): AsyncGenerator<SentEvent> {
  const decoder = new TextDecoder();
  let buffered = '';
  const watchdog = setTimeout(() => stop.abort(new Error('it fell silent')), SILENCE_MS);
  try {
    for await (const chunk of body) {
      watchdog.refresh();
      buffered += decoder.decode(chunk, { stream: true });
      const blocks = buffered.split('\n\n');
      buffered = blocks.pop() ?? '';
      if (buffered.length > MAX_BUFFERED) {
        throw new Error(`an event has more than ${MAX_BUFFERED} characters`);
      }
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event !== undefined) {
          yield event;
        }
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}

/** @returns Undefined when it carries no data. */
function parseBlock(block: string): SentEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^([a-z]+): (.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) {
      fields.set(name, value);
    }
  }
  const data = fields.get('data');
  return data === undefined
    ? undefined
    : { type: fields.get('event') ?? 'message', id: fields.get('id'), data };
}
