import { MonitorSmartphone } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import { momentOf } from '../../i18n/format';
import type { SignedInDevice } from '../../model';
import { useApp } from '../app-context';
import { useLoaded } from '../hooks';
import { Icon } from '../icon';
import { Confirm } from '../sheet';

/** Installations signed in to this account; the others can be signed out. */
export function SignedInDevices() {
  const { parley, attempt } = useApp();
  const { state, reload } = useLoaded(() => parley.signedInDevices(), 'own');
  const [asked, setAsked] = useState<SignedInDevice | null>(null);
  const revoke = async (device: SignedInDevice) => {
    if (await attempt(parley.revokeDevice(device.resource))) reload();
  };
  return (
    <section class="card" aria-labelledby="settings-devices">
      <h3 id="settings-devices">{t('settings.devices')}</h3>
      <p class="card-text">{t(state.kind === 'failed' ? 'settings.devicesFailed' : 'settings.devicesHint')}</p>
      {state.kind === 'loading' ? <p class="devices-reserve" aria-busy="true" /> : null}
      <ul class="device-list">
        {(state.kind === 'ready' ? state.value : []).map((device) => (
          <DeviceLine key={device.resource} device={device} onRevoke={() => setAsked(device)} />
        ))}
      </ul>
      {asked ? (
        <Confirm
          title={t('settings.revokeShort')}
          text={t('settings.revokeAsk', { device: asked.name })}
          action={t('settings.revokeShort')}
          onConfirm={() => void revoke(asked)}
          onClose={() => setAsked(null)}
        />
      ) : null}
    </section>
  );
}

function DeviceLine({ device, onRevoke }: { readonly device: SignedInDevice; onRevoke(): void }) {
  const seen = device.isOnline ? t('settings.online') : t('contacts.lastSeen', { when: momentOf(device.lastSeen) });
  return (
    <li class="device-line">
      <Icon of={MonitorSmartphone} size={20} />
      <span class="device-words">
        <span>{device.name}</span>
        <span class="device-seen">{device.isThisDevice ? t('settings.thisDevice') : seen}</span>
      </span>
      {device.isThisDevice ? null : (
        <button
          type="button"
          class="button"
          aria-label={t('settings.revoke', { device: device.name })}
          onClick={onRevoke}
        >
          {t('settings.revokeShort')}
        </button>
      )}
    </li>
  );
}
