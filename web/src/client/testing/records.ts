import type { MessageRecord } from '../records';

/** A message as stored, with what a test cares about. */
export function messageRecord(patch: Partial<MessageRecord> & { readonly id: string }): MessageRecord {
  return {
    conversation: 'bob@home',
    order: 1,
    isOwn: false,
    sender: patch.isOwn ? 'alice@home' : 'bob@home',
    at: 1_700_000_000_000,
    content: { kind: 'text', text: patch.id },
    confidentiality: 'sealed',
    wireId: patch.id,
    originId: patch.id,
    ...patch,
  };
}
