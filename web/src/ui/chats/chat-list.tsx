import { Plus, Search } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Contact, Conversation } from '../../model';
import { useApp } from '../app-context';
import { hasTwoPanes } from '../hooks';
import { Icon } from '../icon';
import { go } from '../route';
import { ChatRow } from './chat-row';
import { ContactRow } from './contact-list';
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

/** Title and the one action of a list. */
export function ListHeader({ title, action }: { readonly title: string; readonly action: string }) {
  return (
    <header class="list-header">
      <h1>{title}</h1>
      <button type="button" class="icon-button" aria-label={action} onClick={() => go({ name: 'new' })}>
        <Icon of={Plus} size={24} />
      </button>
    </header>
  );
}

export function SearchField(props: { readonly query: string; onQuery(query: string): void }) {
  return (
    <label class="search">
      <Icon of={Search} size={20} />
      <span class="visually-hidden">{t('common.search')}</span>
      <input
        type="search"
        placeholder={t('common.search')}
        value={props.query}
        enterkeyhint="search"
        autocomplete="off"
        onInput={(event) => props.onQuery(event.currentTarget.value)}
      />
    </label>
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

/** Whether a name or an address contains what was typed, whatever the case. */
export function isMatch(one: { readonly name: string; readonly jid: string }, query: string): boolean {
  const wanted = query.trim().toLocaleLowerCase();
  return one.name.toLocaleLowerCase().includes(wanted) || one.jid.includes(wanted);
}

function contactsBeside(contacts: readonly Contact[], conversations: readonly Conversation[]): readonly Contact[] {
  const known = new Set(conversations.map(({ jid }) => jid));
  return contacts.filter(({ jid }) => !known.has(jid));
}
