import { decodeRecord, encodeRecord } from './codec';
import { StoreError } from './errors';
import type { E2eeStore, ExtraWrite, Write } from './store';

/** A store that lasts as long as the object: for tests, and for a session that shall leave nothing behind. */
export class MemoryStore implements E2eeStore {
  private readonly records = new Map<string, Uint8Array>();
  /** The caller's own writes, by store name and key. */
  readonly extras = new Map<string, unknown>();
  /** Called before each commit; whatever it throws makes the commit fail as a broken disk would. */
  beforeCommit: (() => void) | null = null;

  async get(key: string): Promise<unknown> {
    const bytes = this.records.get(key);
    return bytes === undefined ? undefined : decodeRecord(bytes);
  }

  async commit(writes: readonly Write[], extra: readonly ExtraWrite[] = []): Promise<void> {
    try {
      this.beforeCommit?.();
    } catch (error) {
      throw new StoreError('store-unavailable', 'commit failed', { cause: error });
    }
    for (const { key, value } of writes) {
      if (value === undefined) {
        this.records.delete(key);
      } else {
        this.records.set(key, encodeRecord(value));
      }
    }
    for (const write of extra) {
      if ('deleteKey' in write) {
        this.extras.delete(`${write.store}/${String(write.deleteKey)}`);
      } else {
        this.extras.set(`${write.store}/${String(write.key)}`, write.value);
      }
    }
  }

  /** Everything that is stored, by key, as bytes: equal snapshots are equal states. */
  snapshot(): Map<string, string> {
    return new Map([...this.records].map(([key, bytes]) => [key, new TextDecoder().decode(bytes)]));
  }
}
