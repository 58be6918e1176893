import { RotateCw, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import { type Key, t } from '../../i18n';
import type { Message } from '../../model';
import { useApp } from '../app-context';
import { hasSide } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { go } from '../route';

interface TroubleProps {
  readonly message: Message;
  readonly name: string;
}

/** Why an own message waits or failed, and what can be done. */
export function Trouble({ message, name }: TroubleProps) {
  if (message.state === 'failed') return <Failed message={message} name={name} />;
  // A lost connection is said once, above the list; an upload shows its progress.
  const reason = message.waitingFor;
  const isSaid = reason === 'trust' || reason === 'devices' || reason === 'server';
  return isSaid ? <Waits message={message} name={name} reason={reason} /> : null;
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

function Waits({ message, name, reason }: TroubleProps & { readonly reason: 'trust' | 'devices' | 'server' }) {
  const { parley } = useApp();
  const isRequested = parley.contacts.value.some(({ jid, isRequested: is }) => jid === message.conversation && is);
  const key: Key = reason === 'devices' && isRequested ? 'waiting.devices.requested' : `waiting.${reason}`;
  return (
    <div class="failure">
      <p>{t(key, { name: shortNameOf(name) })}</p>
      <Actions message={message}>{reason === 'trust' ? <DetailsButton jid={message.conversation} /> : null}</Actions>
    </div>
  );
}

function Actions({ message, children }: { readonly message: Message; readonly children: ComponentChildren }) {
  const { parley, attempt } = useApp();
  return (
    <div class="failure-actions">
      <button type="button" onClick={() => void attempt(parley.discard(message.id))}>
        {t('common.delete')}
      </button>
      {children}
    </div>
  );
}

/** Leads to where one decides about devices: beside the thread if they stand there, else over it. */
export function DetailsButton({ jid }: { readonly jid: string }) {
  const open = () => {
    if (!hasSide()) return go({ name: 'details', jid });
    const first = document.querySelector<HTMLElement>('.pane-side .device[data-open-question] summary');
    (first ?? document.querySelector<HTMLElement>('.pane-side .device summary'))?.focus();
  };
  return (
    <button type="button" class="failure-main" onClick={open}>
      {t('trust.open')}
    </button>
  );
}
