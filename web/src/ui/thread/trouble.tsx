import { RotateCw, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Message } from '../../model';
import { useApp } from '../app-context';
import { hasSide } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { go } from '../route';
import { Confirm } from '../sheet';

interface TroubleProps {
  readonly message: Message;
  readonly name: string;
}

/** Why an own message waits or failed, and what can be done. */
export function Trouble({ message, name }: TroubleProps) {
  if (message.state === 'failed') return <Failed message={message} name={name} />;
  return message.state === 'waiting' ? <Waits message={message} name={name} /> : null;
}

function Failed({ message, name }: TroubleProps) {
  const { parley, attempt } = useApp();
  return (
    <div class="failure">
      <p>
        <Icon of={TriangleAlert} size={16} />
        <span>{t(`failure.${message.failure ?? 'server-error'}`, { name: shortNameOf(name) })}</span>
      </p>
      <Actions message={message}>
        <button type="button" class="failure-main" onClick={() => void attempt(parley.retry(message.id))}>
          <Icon of={RotateCw} size={16} />
          {t('common.retry')}
        </button>
      </Actions>
    </div>
  );
}

function Waits({ message, name }: TroubleProps) {
  const { parley } = useApp();
  const reason = message.waitingFor;
  // A lost connection is said once, above the list; an upload shows its progress.
  const isSaidElsewhere = reason === undefined || reason === 'connection' || reason === 'upload';
  const isRequested = parley.contacts.value.some(({ jid, isRequested: is }) => jid === message.conversation && is);
  const asks = reason === 'trust' || reason === 'own-trust';
  return (
    <div class="failure">
      {isSaidElsewhere ? null : (
        <p>
          {t(reason === 'devices' && isRequested ? 'waiting.devices.requested' : `waiting.${reason}`, {
            name: shortNameOf(name),
          })}
        </p>
      )}
      <Actions message={message}>
        {asks ? <DevicesButton jid={message.conversation} isOwn={reason === 'own-trust'} /> : null}
      </Actions>
    </div>
  );
}

function Actions({ message, children }: { readonly message: Message; readonly children: ComponentChildren }) {
  const { parley, attempt } = useApp();
  const [isAsked, setAsked] = useState(false);
  return (
    <div class="failure-actions">
      <button type="button" onClick={() => setAsked(true)}>
        {t('common.delete')}
      </button>
      {children}
      {isAsked ? (
        <Confirm
          title={t('unsent.delete')}
          text={t('unsent.deleteAsk')}
          action={t('common.delete')}
          onConfirm={() => void attempt(parley.discard(message.id))}
          onClose={() => setAsked(false)}
        />
      ) : null}
    </div>
  );
}

interface DevicesButtonProps {
  /** The conversation. */
  readonly jid: string;
  /** It is about a device of one's own. */
  readonly isOwn: boolean;
}

/** Leads to where one decides about devices: one's own are in the settings, those of others in the details. */
export function DevicesButton({ jid, isOwn }: DevicesButtonProps) {
  const open = () => {
    if (isOwn) return go({ name: 'settings' });
    if (!hasSide()) return go({ name: 'details', jid });
    const first = document.querySelector<HTMLElement>('.pane-side .device[data-open-question] summary');
    (first ?? document.querySelector<HTMLElement>('.pane-side .device summary'))?.focus();
  };
  return (
    <button type="button" class="failure-main" onClick={open}>
      {t(isOwn ? 'trust.openOwn' : 'trust.open')}
    </button>
  );
}
