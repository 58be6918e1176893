import { type IconNode, MessageCircle, Settings, UsersRound } from 'lucide';
import { type Key, t } from '../i18n';
import type { Session } from '../model';
import { useApp } from './app-context';
import { Avatar } from './avatar';
import { Icon } from './icon';
import { fragmentOf, go, type Route } from './route';

export type Section = 'chats' | 'contacts' | 'settings';

const sections: readonly { readonly name: Section; readonly icon: IconNode; readonly label: Key }[] = [
  { name: 'chats', icon: MessageCircle, label: 'nav.chats' },
  { name: 'contacts', icon: UsersRound, label: 'nav.contacts' },
  { name: 'settings', icon: Settings, label: 'nav.settings' },
];

/** Tabs below on narrow screens, a rail at the left on wide ones. */
export function Nav({ section, session }: { readonly section: Section; readonly session: Session }) {
  const unread = useApp().parley.conversations.value.reduce((sum, { unread: count }) => sum + count, 0);
  return (
    <nav class="nav" aria-label={t('nav.label')}>
      <div class="nav-self" title={session.jid}>
        <Avatar jid={session.jid} name={session.name} size="small" />
      </div>
      {sections.map(({ name, icon, label }) => (
        <a
          key={name}
          class={`nav-item nav-${name}`}
          href={fragmentOf({ name })}
          aria-current={section === name ? 'page' : undefined}
          onClick={(event) => follow(event, { name })}
        >
          <span class="nav-icon">
            <Icon of={icon} />
            {name === 'chats' && unread > 0 ? <span class="nav-dot" aria-hidden="true" /> : null}
          </span>
          <span class="nav-label">{t(label)}</span>
          {name === 'chats' && unread > 0 ? (
            <span class="visually-hidden">{t('chats.unread', { count: unread })}</span>
          ) : null}
        </a>
      ))}
    </nav>
  );
}

/** Tabs replace each other: "back" leaves the app, as people expect of tabs. */
function follow(event: MouseEvent, to: Route): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(to, true);
}
