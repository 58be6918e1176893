import { RotateCw, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type Key, t } from '../../i18n';
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
  const { parley, attempt } = useApp();
  const [isAsked, setAsked] = useState(false);
  if (message.state !== 'failed' && message.state !== 'waiting') return null;
  const Reason = message.state === 'failed' ? Failed : Waits;
  return (
    <>
      <Reason message={message} name={name} onDelete={() => setAsked(true)} />
      {isAsked ? (
        <Confirm
          title={t('unsent.delete')}
          text={t('unsent.deleteAsk')}
          action={t('common.delete')}
          onConfirm={() => void attempt(parley.discard(message.id))}
          onClose={() => setAsked(false)}
        />
      ) : null}
    </>
  );
}

interface ReasonProps extends TroubleProps {
  onDelete(): void;
}

function Failed({ message, name, onDelete }: ReasonProps) {
  const { parley, attempt } = useApp();
  return (
    <div class="failure">
      <p>
        <Icon of={TriangleAlert} size={16} />
        <span>{t(`failure.${message.failure ?? 'server-error'}`, { name: shortNameOf(name) })}</span>
      </p>
      <Actions onDelete={onDelete}>
        <button type="button" class="failure-main" onClick={() => void attempt(parley.retry(message.id))}>
          <Icon of={RotateCw} size={16} />
          {t('common.retry')}
        </button>
      </Actions>
    </div>
  );
}

function Waits({ message, name, onDelete }: ReasonProps) {
  const { parley } = useApp();
  const reason = message.waitingFor;
  // A lost connection is said once, above the list; an upload shows its progress.
  if (reason === undefined || reason === 'connection' || reason === 'upload') return <Actions onDelete={onDelete} />;
  const isRequested = parley.contacts.value.some(({ jid, isRequested: is }) => jid === message.conversation && is);
  const key: Key = reason === 'devices' && isRequested ? 'waiting.devices.requested' : `waiting.${reason}`;
  const asks = reason === 'trust' || reason === 'own-trust';
  return (
    <div class="failure">
      <p>{t(key, { name: shortNameOf(name) })}</p>
      <Actions onDelete={onDelete}>
        {asks ? <DevicesButton jid={message.conversation} isOwn={reason === 'own-trust'} /> : null}
      </Actions>
    </div>
  );
}

function Actions({ onDelete, children }: Pick<ReasonProps, 'onDelete'> & { readonly children?: ComponentChildren }) {
  return (
    <div class="failure-actions">
      <button type="button" onClick={onDelete}>
        {t('common.delete')}
      </button>
      {children}
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
