/** What the list of chats and the list of contacts have on top, and how both search. */
import { Plus, Search } from 'lucide';
import { t } from '../../i18n';
import { Icon } from '../icon';
import { go } from '../route';

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

/** Whether a name or an address contains what was typed, whatever the case. */
export function isMatch(one: { readonly name: string; readonly jid: string }, query: string): boolean {
  const wanted = query.trim().toLocaleLowerCase();
  return one.name.toLocaleLowerCase().includes(wanted) || one.jid.includes(wanted);
}
