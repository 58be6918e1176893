import { t } from '../../i18n';
import type { ContactRequest } from '../../model';
import { useApp } from '../app-context';
import { Avatar } from '../avatar';

/** People who want to write to us, on top of the lists; with `from`, only that person, on top of what they wrote. */
export function Requests({ from }: { readonly from?: string }) {
  const requests = useApp().parley.requests.value.filter(({ jid }) => from === undefined || jid === from);
  if (requests.length === 0) return null;
  return (
    <section class="requests" aria-label={t('requests.title')}>
      {requests.map((request) => (
        <Request key={request.jid} request={request} />
      ))}
    </section>
  );
}

function Request({ request }: { readonly request: ContactRequest }) {
  const { parley, attempt } = useApp();
  const { jid, name } = request;
  return (
    <div class="request">
      <Avatar jid={jid} name={name} />
      <p class="request-text">
        <strong>{name}</strong>
        <span>{t('requests.text')}</span>
        <span>{jid}</span>
      </p>
      <div class="request-actions">
        <button
          type="button"
          class="button"
          aria-label={t('requests.declineFrom', { name })}
          onClick={() => void attempt(parley.declineRequest(jid))}
        >
          {t('requests.decline')}
        </button>
        <button
          type="button"
          class="button button-primary"
          aria-label={t('requests.acceptFrom', { name })}
          onClick={() => void attempt(parley.acceptRequest(jid))}
        >
          {t('requests.accept')}
        </button>
      </div>
    </div>
  );
}
