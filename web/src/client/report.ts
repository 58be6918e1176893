import { StoreError } from '../e2ee';

/** Hands an error that nobody can act on to the browser's own report, as an uncaught one would be. */
export function report(error: unknown): void {
  if (isOfClosedDatabase(error)) {
    return;
  }
  if (typeof reportError === 'function') {
    reportError(error);
  } else {
    console.error(error);
  }
}

/** The database is closed under a task only where this tab has given way to another, which goes on with all of it. */
function isOfClosedDatabase(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  return cause instanceof DOMException && cause.name === 'InvalidStateError' && /clos/iu.test(cause.message);
}
