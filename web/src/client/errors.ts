/*
 * ClientError               root; `code` is stable, the text is for logs only
 * ├── OfflineError          offline, timeout, session-lost
 * ├── StanzaError           the condition of RFC 6120 section 8.3.3 that the other side answered with
 * └── StoppedError          stopped
 */

export class ClientError extends Error {
  constructor(
    readonly code: string,
    message: string = code,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No answer came because there is no connection, or no longer the one that the question went over. */
export class OfflineError extends ClientError {
  declare readonly code: 'offline' | 'timeout' | 'session-lost';

  constructor(code: 'offline' | 'timeout' | 'session-lost') {
    super(code);
  }
}

/** The session at work here has ended, and with it what was asked of it. */
export class StoppedError extends ClientError {
  constructor() {
    super('stopped');
  }
}

/** The other side answered with an error. */
export class StanzaError extends ClientError {
  constructor(
    readonly condition: string,
    /** `cancel`, `modify`, `wait` and so on (RFC 6120 section 8.3.2). */
    readonly type: string,
  ) {
    super(condition);
  }
}

/** Whether what was answered with this error may work later. */
export function isPassing({ condition, type }: Pick<StanzaError, 'condition' | 'type'>): boolean {
  return type === 'wait' || PASSING.has(condition);
}

const PASSING = new Set([
  'remote-server-timeout',
  'remote-server-not-found',
  'resource-constraint',
  'internal-server-error',
]);
