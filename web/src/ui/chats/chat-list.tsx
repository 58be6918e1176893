import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Contact, Conversation } from '../../model';
import { useApp } from '../app-context';
import { hasTwoPanes } from '../hooks';
import { go } from '../route';
import { ChatRow } from './chat-row';
import { ContactRow } from './contact-list';
import { isMatch, ListHeader, SearchField } from './list-header';
import { Requests } from './requests';

/** All conversations, newest first, with requests on top. */
export function ChatList({ openJid }: { readonly openJid: string | null }) {
  const { parley } = useApp();
  const [query, setQuery] = useState('');
  const all = parley.conversations.value;
  const found = all.filter((conversation) => isMatch(conversation, query));
  const others = query === '' ? [] : contactsBeside(parley.contacts.value, all).filter((one) => isMatch(one, query));
  return (
    <section class="list" aria-label={t('chats.title')}>
      <ListHeader title={t('chats.title')} action={t('chats.new')} />
      <SearchField query={query} onQuery={setQuery} />
      <div class="list-scroll">
        <Requests />
        {/* Beside the list there is room to say so once. */}
        {all.length === 0 && query === '' && !hasTwoPanes() ? <NoChats /> : null}
        {query !== '' && found.length + others.length === 0 ? (
          <p class="list-none">{t('chats.none', { query })}</p>
        ) : null}
        <ul class="rows" aria-label={t('chats.list')}>
          {found.map((conversation) => (
            <ChatRow key={conversation.jid} conversation={conversation} isOpen={conversation.jid === openJid} />
          ))}
          {others.map((contact) => (
            <ContactRow key={contact.jid} contact={contact} isOpen={contact.jid === openJid} />
          ))}
        </ul>
      </div>
    </section>
  );
}

function NoChats() {
  return (
    <div class="empty">
      <h2>{t('chats.empty')}</h2>
      <p>{t('chats.emptyHint')}</p>
      <button type="button" class="button button-primary" onClick={() => go({ name: 'new' })}>
        {t('chats.new')}
      </button>
    </div>
  );
}

function contactsBeside(contacts: readonly Contact[], conversations: readonly Conversation[]): readonly Contact[] {
  const known = new Set(conversations.map(({ jid }) => jid));
  return contacts.filter(({ jid }) => !known.has(jid));
}
