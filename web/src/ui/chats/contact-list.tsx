import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import { momentOf } from '../../i18n/format';
import type { Contact } from '../../model';
import { useApp } from '../app-context';
import { Avatar } from '../avatar';
import { go } from '../route';
import { RowLink } from './chat-row';
import { isMatch, ListHeader, SearchField } from './list-header';
import { Requests } from './requests';

/** The people one knows, by name. */
export function ContactList({ openJid }: { readonly openJid: string | null }) {
  const { parley } = useApp();
  const [query, setQuery] = useState('');
  const all = parley.contacts.value.toSorted((a, b) => a.name.localeCompare(b.name));
  const found = all.filter((contact) => isMatch(contact, query));
  return (
    <section class="list" aria-label={t('contacts.title')}>
      <ListHeader title={t('contacts.title')} action={t('contacts.add')} />
      <SearchField query={query} onQuery={setQuery} />
      <div class="list-scroll">
        <Requests />
        {all.length === 0 ? <NoContacts /> : null}
        {all.length > 0 && found.length === 0 ? <p class="list-none">{t('chats.none', { query })}</p> : null}
        <ul class="rows" aria-label={t('contacts.list')}>
          {found.map((contact) => (
            <ContactRow key={contact.jid} contact={contact} isOpen={contact.jid === openJid} />
          ))}
        </ul>
      </div>
    </section>
  );
}

/** One person. */
export function ContactRow({ contact, isOpen }: { readonly contact: Contact; readonly isOpen: boolean }) {
  return (
    <li>
      <RowLink jid={contact.jid} isOpen={isOpen}>
        <Avatar jid={contact.jid} name={contact.name} availability={contact.availability} />
        <span class="row-name">{contact.name}</span>
        <span class="row-preview">
          <span class="row-text">{presenceText(contact)}</span>
        </span>
      </RowLink>
    </li>
  );
}

/** Presence in words. */
export function presenceText(contact: Contact): string {
  if (contact.isRequested) return t('contacts.pending');
  if (contact.availability === 'offline' && contact.lastSeen !== undefined) {
    return t('contacts.lastSeen', { when: momentOf(contact.lastSeen) });
  }
  return t(`contacts.${contact.availability}`);
}

function NoContacts() {
  return (
    <div class="empty">
      <h2>{t('contacts.empty')}</h2>
      <p>{t('contacts.emptyHint')}</p>
      <button type="button" class="button button-primary" onClick={() => go({ name: 'new' })}>
        {t('contacts.add')}
      </button>
    </div>
  );
}
