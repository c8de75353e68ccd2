/** Questions to the journal. */

import { UnreachableError } from '../control/errors.ts';
import type { Journal } from '../control/ports.ts';
import { ApiError } from './api-error.ts';
import type { ServiceView } from './service-view.ts';

/** @throws ApiError while the journal cannot be asked. */
export async function askJournal<Answer>(
  { journal }: Pick<ServiceView, 'journal'>,
  question: (journal: Journal) => Promise<Answer>,
): Promise<Answer> {
  if (journal === undefined) {
    throw new ApiError(
      'journal-unavailable',
      'there is no journal here: it belongs to the Rackfire that leads',
    );
  }
  try {
    return await question(journal);
  } catch (error) {
    if (error instanceof UnreachableError) {
      throw new ApiError('journal-unavailable', error.message, { cause: error });
    }
    throw error;
  }
}
