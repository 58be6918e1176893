import type { Summary } from './store';

/** Conversations that a change of our own devices is told in. */
const OWN_NOTE_LIMIT = 10;

/** Where something about the devices of a person is told: about our own, in the latest conversations. */
export function toldIn(jid: string, own: string, summaries: Iterable<Summary>): string[] {
  const begun = [...summaries].filter((summary) => summary.lastMessage);
  if (jid !== own) {
    return begun.filter((summary) => summary.jid === jid).map((summary) => summary.jid);
  }
  return begun
    .sort((a, b) => (b.lastMessage?.at ?? 0) - (a.lastMessage?.at ?? 0))
    .slice(0, OWN_NOTE_LIMIT)
    .map((summary) => summary.jid);
}
