/** Hands an error that nobody can act on to the browser's own report, as an uncaught one would be. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') {
    reportError(error);
  } else {
    console.error(error);
  }
}
