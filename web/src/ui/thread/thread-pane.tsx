import { useEffect, useMemo } from 'preact/hooks';
import { t } from '../../i18n';
import { conversationOf, useApp } from '../app-context';
import { Requests } from '../chats/requests';
import { hasFinePointer, hasTwoPanes } from '../hooks';
import { Composer } from './composer';
import { ThreadHeader } from './thread-header';
import { Timeline } from './timeline';

/** The open conversation. The caller gives each address its own key, so that nothing of one shows in another. */
export function ThreadPane({ jid }: { readonly jid: string }) {
  const { parley, voice } = useApp();
  const thread = useMemo(() => parley.openThread(jid), [parley, jid]);
  useEffect(
    () => () => {
      thread.close();
      // A recording is not lost: it waits, paused, until one comes back.
      if (voice.jid.peek() === jid) voice.apply('leave');
    },
    [thread, voice, jid],
  );
  useEffect(() => {
    // On a phone the keyboard stays away until it is asked for; the focus still follows to what was opened.
    if (!hasFinePointer()) document.getElementById('thread-title')?.focus({ preventScroll: true });
  }, [jid]);
  const conversation = conversationOf(parley, jid);
  return (
    <section class="thread" aria-label={t('thread.label', { name: conversation.name })}>
      <ThreadHeader conversation={conversation} />
      {hasTwoPanes() ? null : <Requests from={jid} />}
      <Timeline thread={thread} name={conversation.name} />
      <Composer jid={jid} draft={conversation.draft} />
    </section>
  );
}
