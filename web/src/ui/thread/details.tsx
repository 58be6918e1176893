import { Check, ChevronDown, Pencil, ShieldX, UserMinus } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { momentOf } from '../../i18n/format';
import { type DeviceInfo, RequestFailure, type Trust } from '../../model';
import { conversationOf, useApp } from '../app-context';
import { Avatar } from '../avatar';
import { useLoaded } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { go, goBack } from '../route';
import { Confirm, Sheet } from '../sheet';
import { classIcons, classStyleOf } from './class-chip';
import { Fingerprint } from './fingerprint';

/** The side of a wide screen: who, which class, which devices, how it is kept. */
export function Details({ jid }: { readonly jid: string }) {
  return (
    <section class="pane pane-side" aria-label={t('details.title')}>
      <DetailsBody jid={jid} />
    </section>
  );
}

/** The same on a narrow screen. */
export function DetailsSheet({ jid }: { readonly jid: string }) {
  return (
    <Sheet title={t('details.title')} onClose={goBack}>
      <DetailsBody jid={jid} />
    </Sheet>
  );
}

function DetailsBody({ jid }: { readonly jid: string }) {
  const { parley } = useApp();
  const { name, confidentiality, isPlainFromThem, availability } = conversationOf(parley, jid);
  const contact = parley.contacts.value.find((one) => one.jid === jid);
  const style = classStyleOf(confidentiality);
  return (
    <div class="details">
      <div class="details-who">
        <Avatar jid={jid} name={name} size="large" availability={availability} />
        <h2>{name}</h2>
        <p>{jid}</p>
      </div>
      <div class="card">
        <h3 class={`details-class details-${style}`}>
          <Icon of={classIcons[confidentiality]} size={20} />
          {t(`class.${confidentiality}`)}
        </h3>
        <p class="card-text">{t(`class.${confidentiality}.text`, { name: shortNameOf(name) })}</p>
        {isPlainFromThem ? <p class="card-text">{t('class.plain.text', { name: shortNameOf(name) })}</p> : null}
        {confidentiality === 'managed' ? null : <Devices jid={jid} name={name} />}
      </div>
      <dl class="card card-line">
        <dt>{t('details.kept')}</dt>
        <dd>{t(`details.kept.${confidentiality}`)}</dd>
      </dl>
      {contact ? <ContactActions jid={jid} name={name} /> : null}
    </div>
  );
}

function Devices({ jid, name }: { readonly jid: string; readonly name: string }) {
  const { parley } = useApp();
  const { state, reload } = useLoaded(() => parley.devices(jid), jid);
  // Whoever has another device or key shows it with what they write from it.
  const last = conversationOf(parley, jid).lastMessage?.id;
  useEffect(reload, [last]);
  return (
    <div class="devices">
      <h4>{t('details.devices', { name: shortNameOf(name) })}</h4>
      {state.kind === 'loading' ? <p class="devices-reserve" aria-busy="true" /> : null}
      {state.kind === 'failed' ? <p class="card-text">{t('details.devicesFailed')}</p> : null}
      {state.kind === 'ready' && state.value.length === 0 ? <p class="card-text">{t('details.noDevices')}</p> : null}
      {state.kind === 'ready'
        ? byAge(state.value).map((device, index) => (
            <Device key={keyOf(device)} device={device} number={index + 1} onChanged={reload} />
          ))
        : null}
    </div>
  );
}

/** The one known longest first, so that the number a nameless device is called by stays its own. */
export function byAge(devices: readonly DeviceInfo[]): readonly DeviceInfo[] {
  return [...devices].sort((a, b) => a.firstSeen - b.firstSeen || a.deviceId - b.deviceId);
}

/** Tells the keys of a device apart: one that was refused stands beside the one that is known. */
export function keyOf(device: DeviceInfo): string {
  return `${device.deviceId} ${device.fingerprint.join('')}`;
}

interface DeviceProps {
  readonly device: DeviceInfo;
  /** What a device without a name is called by: its place among those of the person. */
  readonly number: number;
  onChanged(): void;
}

/** One device, and what one decides about it. */
export function Device({ device, number, onChanged }: DeviceProps) {
  const { parley, show } = useApp();
  const name = device.name || t('trust.unnamed', { number: String(number) });
  const isGood = device.trust === 'verified' || device.trust === 'trusted-first-use';
  const hasKey = device.fingerprint.length > 0;
  const decide = (trust: Trust) => {
    parley.setTrust(device, trust).then(onChanged, (error: unknown) => {
      const isOther = error instanceof RequestFailure && error.code === 'key-changed';
      show(t(isOther ? 'trust.changed' : 'trust.failed'));
      // What is shown now is what the next decision is about.
      onChanged();
    });
  };
  return (
    <details class="device" data-trust={device.trust} data-open-question={isGood || !hasKey ? undefined : ''}>
      <summary>
        <Icon of={isGood ? Check : ShieldX} size={18} />
        <span class="device-title">
          {name} · {t(hasKey ? `trust.${device.trust}` : 'trust.noKey')}
          {device.isActive ? null : ` · ${t('trust.inactive')}`}
        </span>
        <Icon of={ChevronDown} size={18} />
      </summary>
      <p class="card-text">{t('trust.firstSeen', { when: momentOf(device.firstSeen) })}</p>
      {hasKey ? (
        <Judging device={device} name={name} onDecide={decide} />
      ) : (
        <p class="card-text">{t('trust.noKey.text')}</p>
      )}
    </details>
  );
}

interface JudgingProps {
  readonly device: DeviceInfo;
  readonly name: string;
  onDecide(trust: Trust): void;
}

/** The key of a device, and what can be decided about it. */
function Judging({ device, name, onDecide }: JudgingProps) {
  return (
    <>
      <Fingerprint groups={device.fingerprint} label={t('trust.fingerprint', { device: name })} />
      <p class="card-text">{t('trust.compare')}</p>
      <div class="device-actions">
        {device.trust === 'distrusted' ? null : (
          <button type="button" class="button" onClick={() => onDecide('distrusted')}>
            {t('trust.distrust')}
          </button>
        )}
        {device.trust === 'distrusted' ? (
          <button type="button" class="button" onClick={() => onDecide('trusted-first-use')}>
            {t('trust.trust')}
          </button>
        ) : null}
        {device.trust === 'verified' ? null : (
          <button type="button" class="button button-primary" onClick={() => onDecide('verified')}>
            {t('trust.verify')}
          </button>
        )}
      </div>
    </>
  );
}

function ContactActions({ jid, name }: { readonly jid: string; readonly name: string }) {
  const { parley, attempt, show } = useApp();
  const [open, setOpen] = useState<'rename' | 'remove' | null>(null);
  const close = () => setOpen(null);
  const remove = async () => {
    if (!(await attempt(parley.removeContact(jid)))) return;
    show(t('details.removed', { name }));
    go({ name: 'chats' }, true);
  };
  return (
    <div class="details-actions">
      <button type="button" class="text-button" onClick={() => setOpen('rename')}>
        <Icon of={Pencil} size={20} />
        {t('details.rename')}
      </button>
      <button type="button" class="text-button text-danger" onClick={() => setOpen('remove')}>
        <Icon of={UserMinus} size={20} />
        {t('details.remove')}
      </button>
      {open === 'rename' ? <Rename jid={jid} name={name} onClose={close} /> : null}
      {open === 'remove' ? (
        <Confirm
          title={t('details.remove')}
          text={t('details.removeAsk', { name: shortNameOf(name) })}
          action={t('details.remove')}
          onConfirm={() => void remove()}
          onClose={close}
        />
      ) : null}
    </div>
  );
}

function Rename({ jid, name, onClose }: { readonly jid: string; readonly name: string; onClose(): void }) {
  const { parley, attempt } = useApp();
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = String(new FormData(event.currentTarget as HTMLFormElement).get('contact-name') ?? '').trim();
    if (wanted !== '' && wanted !== name) void attempt(parley.renameContact(jid, wanted));
    onClose();
  };
  return (
    <Sheet title={t('details.rename')} onClose={onClose}>
      <form class="form" onSubmit={save}>
        <label class="field">
          <span class="field-label">{t('details.name')}</span>
          <input name="contact-name" class="input" defaultValue={name} autocomplete="off" autofocus />
        </label>
        <button type="submit" class="button button-primary button-wide">
          {t('common.save')}
        </button>
      </form>
    </Sheet>
  );
}
