/** What can be said of one entry of the outbox by itself. */
import type { FailureCode } from '../model';
import type { MessageRecord, OutboxRecord } from './records';
import { UploadError } from './uploads';

/** Where the ciphertext of a recording is kept until it is uploaded. */
export function uploadBlobId(entry: { readonly messageId: string | null }): string {
  return `upload/${entry.messageId}`;
}

/** It is, or was, a recording. */
export function isVoice(entry: OutboxRecord): boolean {
  return entry.upload !== undefined || entry.body?.startsWith('aesgcm:') === true;
}

/** What rests while an upload cannot go on. */
export function uploadOf(conversation: string): string {
  return `upload ${conversation}`;
}

/** What failures are counted for: a message keeps its id when it is sent again. */
export function thingOf(entry: OutboxRecord): string {
  return entry.messageId ?? entry.wireId;
}

/** It was taken out of the outbox while it was worked on. */
export class Discarded extends Error {}

/** Ends the wait for an upload when it is called off, whatever the upload waits for itself. */
export function cut(upload: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new UploadError(null)));
    upload.then(resolve, reject);
  });
}

/** A message that was given up. */
export function failed(record: MessageRecord, failure: FailureCode): MessageRecord {
  const { waitingFor: _, ...rest } = record;
  return { ...rest, state: 'failed', failure };
}
