import { CloudOff, RefreshCw } from 'lucide';
import { t } from '../i18n';
import { useApp } from './app-context';
import { Icon } from './icon';

/** One quiet line while there is no connection; nothing while there is. */
export function ConnectionBar() {
  const { parley } = useApp();
  const text = connectionText(useApp());
  const isLost = parley.connection.value.kind === 'waiting';
  return (
    <div class="connection" role="status">
      {text === null ? null : (
        <p class="connection-text">
          <Icon of={isLost ? CloudOff : RefreshCw} size={16} />
          <span>{text}</span>
        </p>
      )}
    </div>
  );
}

function connectionText({ parley }: ReturnType<typeof useApp>): string | null {
  const connection = parley.connection.value;
  if (connection.kind === 'connecting') return t('connection.connecting');
  if (connection.kind !== 'waiting') return null;
  const count = parley.waitingCount.value;
  const what = t(`connection.${connection.reason}`);
  return count === 0 ? what : `${what} ${t('connection.waiting', { count })}`;
}
