/** A record to be written, or with `undefined` to be removed. */
export interface Write {
  readonly key: string;
  /** Plain data as `encodeRecord` takes it. */
  readonly value: unknown;
}

/**
 * A write of the caller's own that belongs to the same transaction: the message that was decrypted, the outbox entry
 * that now has its ciphertext.
 */
export type ExtraWrite =
  | { readonly store: string; readonly value: unknown; readonly key?: IDBValidKey }
  | { readonly store: string; readonly deleteKey: IDBValidKey };

/**
 * Where keys and sessions are kept. One store belongs to one account.
 *
 * Keys are `identity`, `keys/FORMAT`, `contact/JID` and `session/FORMAT/JID/DEVICE`.
 */
export interface E2eeStore {
  /**
   * Reads a record that nobody else holds a reference to.
   *
   * @returns The value, or undefined if there is none.
   * @throws StoreError `store-corrupt`, `store-unavailable`.
   */
  get(key: string): Promise<unknown>;

  /**
   * Writes everything or nothing, and resolves only when it would survive a crash.
   *
   * @throws StoreError `store-unavailable`; then nothing was written.
   */
  commit(writes: readonly Write[], extra?: readonly ExtraWrite[]): Promise<void>;
}
