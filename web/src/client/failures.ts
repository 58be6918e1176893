/** What goes wrong behind the front door, in the codes that the screens know. */
import { RequestFailure } from '../model';
import { OfflineError, StanzaError, StoppedError } from './errors';
import { report } from './report';

/** Runs what the server has to answer; failures come out with a code that the screens know. */
export async function asked<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof OfflineError) {
      throw new RequestFailure('no-connection');
    }
    throw error instanceof StanzaError ? new RequestFailure(REFUSALS[error.condition] ?? 'server-error') : error;
  }
}

const REFUSALS: Readonly<Record<string, RequestFailure['code']>> = {
  'item-not-found': 'recipient-unknown',
  'jid-malformed': 'bad-address',
  forbidden: 'not-allowed',
  'not-allowed': 'not-allowed',
  'resource-constraint': 'quota',
  'policy-violation': 'refused',
};

/** Runs what only the browser's storage can refuse. */
export async function stored(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    throw isStorageError(error) ? new RequestFailure('storage-full') : error;
  }
}

function isStorageError(error: unknown): boolean {
  return error instanceof Error && ['StoreError', 'QuotaExceededError'].includes(error.name);
}

/** Without a connection, or a session, nobody expects it to work. */
export function reportUnlessOver(error: unknown): void {
  const isOver = error instanceof OfflineError || error instanceof StoppedError;
  if (!isOver && !(error instanceof RequestFailure && error.code === 'no-connection')) {
    report(error);
  }
}
