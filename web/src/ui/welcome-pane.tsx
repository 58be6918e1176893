import { t } from '../i18n';
import { useApp } from './app-context';
import { Mark } from './mark';
import { go } from './route';

/** What a wide screen shows where a thread will be. */
export function WelcomePane() {
  const isEmpty = useApp().parley.conversations.value.length === 0;
  return (
    <div class="empty">
      <Mark />
      <h2>{t(isEmpty ? 'chats.empty' : 'chats.pick')}</h2>
      <p>{t(isEmpty ? 'chats.emptyHint' : 'chats.pickHint')}</p>
      {isEmpty ? (
        <button type="button" class="button button-primary" onClick={() => go({ name: 'new' })}>
          {t('chats.new')}
        </button>
      ) : null}
    </div>
  );
}
