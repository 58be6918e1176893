import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import type { Conversation, Session } from '../model';
import { conversationOf, useApp } from './app-context';
import { ChatList } from './chats/chat-list';
import { ContactList } from './chats/contact-list';
import { NewChat } from './chats/new-chat';
import { previewOf } from './chats/preview';
import { ConnectionBar } from './connection-bar';
import { hasSide, hasTwoPanes } from './hooks';
import { Nav, type Section } from './nav';
import { fragmentOf, type Route, route } from './route';
import { Settings } from './settings/settings';
import { Details, DetailsSheet } from './thread/details';
import { ThreadPane } from './thread/thread-pane';
import { RecordingElsewhere } from './voice/recording-elsewhere';
import { WelcomePane } from './welcome-pane';

/** The app of someone signed in: sections, list, thread, details. What is narrow shows one of them at a time. */
export function Shell({ session }: { readonly session: Session }) {
  const at = route.value;
  const section = useSection(at);
  const jid = 'jid' in at ? at.jid : null;
  const side = hasSide();
  const isListShown = hasTwoPanes() || viewOf(at) === 'list';
  useAnnouncements();
  useReturningFocus(jid);
  useTitle(jid);
  return (
    <div class="shell" data-view={viewOf(at)} data-side={side && jid !== null ? '' : undefined}>
      {jid === null ? null : (
        // biome-ignore lint/a11y/useValidAnchor: a skip link, kept from changing the fragment, which is the route
        <a class="skip" href="#messages" onClick={focusMessages}>
          {t('app.skip')}
        </a>
      )}
      <Nav section={at.name === 'settings' ? 'settings' : section} session={session} />
      <main class="panes">
        <div class="pane pane-list">
          {isListShown ? <ConnectionBar /> : null}
          {section === 'contacts' ? <ContactList openJid={jid} /> : <ChatList openJid={jid} />}
        </div>
        <div class="pane pane-main">
          {isListShown ? null : <ConnectionBar />}
          <RecordingElsewhere openJid={jid} />
          <MainPane at={at} jid={jid} session={session} />
        </div>
        {side && jid !== null ? <Details key={jid} jid={jid} /> : null}
      </main>
      {at.name === 'new' ? <NewChat /> : null}
      {at.name === 'details' && !side ? <DetailsSheet jid={at.jid} /> : null}
    </div>
  );
}

function MainPane(props: { readonly at: Route; readonly jid: string | null; readonly session: Session }) {
  if (props.at.name === 'settings') return <Settings session={props.session} />;
  return props.jid === null ? <WelcomePane /> : <ThreadPane key={props.jid} jid={props.jid} />;
}

function viewOf(at: Route): 'list' | 'thread' | 'settings' {
  if (at.name === 'settings') return 'settings';
  return at.name === 'thread' || at.name === 'details' ? 'thread' : 'list';
}

/** The list beside a thread stays the one it was opened from. */
function useSection(at: Route): Exclude<Section, 'settings'> {
  const last = useRef<Exclude<Section, 'settings'>>('chats');
  if (at.name === 'contacts') last.current = 'contacts';
  else if (at.name === 'chats' || at.name === 'new') last.current = 'chats';
  return last.current;
}

/** Back in the list the focus is on the conversation one came from. */
function useReturningFocus(jid: string | null): void {
  const last = useRef(jid);
  useEffect(() => {
    const left = last.current;
    last.current = jid;
    if (jid !== null || left === null) return;
    const row = document.querySelector<HTMLElement>(
      `.row[href="${CSS.escape(fragmentOf({ name: 'thread', jid: left }))}"]`,
    );
    row?.focus({ preventScroll: true });
  }, [jid]);
}

/** The fragment is the route's: the link moves the focus only. */
function focusMessages(event: Event): void {
  event.preventDefault();
  document.getElementById('messages')?.focus();
}

/** The tab tells where one is and how much waits, without asking for anything. */
function useTitle(jid: string | null): void {
  const { parley } = useApp();
  useEffect(
    () =>
      effect(() => {
        const title = jid === null ? t('app.name') : `${conversationOf(parley, jid).name} · ${t('app.name')}`;
        const unread = parley.conversations.value.reduce((sum, { unread: count }) => sum + count, 0);
        document.title = unread > 0 ? `(${unread}) ${title}` : title;
      }),
    [parley, jid],
  );
}

/** Says new messages to screen readers, wherever they come in. */
function useAnnouncements(): void {
  const app = useApp();
  useEffect(() => {
    let known: Map<string, Conversation> | null = null;
    return effect(() => {
      const now = new Map(app.parley.conversations.value.map((conversation) => [conversation.jid, conversation]));
      for (const conversation of known ? now.values() : []) announceNew(conversation, known?.get(conversation.jid));
      known = now;
    });
    function announceNew(conversation: Conversation, before: Conversation | undefined): void {
      const last = conversation.lastMessage;
      if (!last || last.isOwn || last.id === before?.lastMessage?.id) return;
      // Clocks differ: a message that is new may seem older than the one before it.
      const isNew = conversation.unread > (before?.unread ?? 0) || last.at >= (before?.lastMessage?.at ?? 0);
      if (!isNew) return;
      app.announce(t('thread.incoming', { name: conversation.name, text: previewOf(last).text }));
    }
  }, [app]);
}
