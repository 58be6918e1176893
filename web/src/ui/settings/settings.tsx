import { ChevronDown, LogOut } from 'lucide';
import { useState } from 'preact/hooks';
import { chooseLanguage, chosenLanguage, type Key, languageNames, languages, t } from '../../i18n';
import type { Session } from '../../model';
import { useApp } from '../app-context';
import { Avatar } from '../avatar';
import { useLoaded } from '../hooks';
import { Icon } from '../icon';
import { go } from '../route';
import { Confirm } from '../sheet';
import { chooseTheme, theme, themes } from '../theme';
import { byAge, Device, keyOf } from '../thread/details';
import { Fingerprint } from '../thread/fingerprint';
import { SignedInDevices } from './signed-in-devices';

/** Everything one sets: looks, devices, leaving. */
export function Settings({ session }: { readonly session: Session }) {
  return (
    <section class="settings" aria-label={t('settings.title')}>
      <header class="list-header">
        <h1>{t('settings.title')}</h1>
      </header>
      <div class="settings-body">
        <div class="settings-self">
          <Avatar jid={session.jid} name={session.name} size="large" />
          <div>
            <h2>{session.name}</h2>
            <p>{session.jid}</p>
          </div>
        </div>
        <Appearance />
        <ThisDevice session={session} />
        <SignedInDevices />
        <Account />
      </div>
    </section>
  );
}

function Appearance() {
  const [language, setLanguage] = useState(chosenLanguage());
  const change = (value: string) => {
    const choice = languages.find((one) => one === value) ?? null;
    setLanguage(choice);
    void chooseLanguage(choice);
  };
  return (
    <section class="card" aria-labelledby="settings-appearance">
      <h3 id="settings-appearance">{t('settings.appearance')}</h3>
      <fieldset class="segments">
        <legend>{t('settings.theme')}</legend>
        {themes.map((one) => (
          <label key={one} class="segment">
            <input type="radio" name="theme" checked={theme.value === one} onChange={() => chooseTheme(one)} />
            <span>{t(`settings.theme.${one}`)}</span>
          </label>
        ))}
      </fieldset>
      <label class="select-line">
        <span>{t('settings.language')}</span>
        <span class="select-wrap">
          <select class="select" value={language ?? ''} onChange={(event) => change(event.currentTarget.value)}>
            <option value="">{t('settings.language.auto')}</option>
            {languages.map((one) => (
              <option key={one} value={one} lang={one}>
                {languageNames[one]}
              </option>
            ))}
          </select>
          <Icon of={ChevronDown} size={20} />
        </span>
      </label>
    </section>
  );
}

function ThisDevice({ session }: { readonly session: Session }) {
  const { parley } = useApp();
  const { state, reload } = useLoaded(() => parley.devices(session.jid), session.jid);
  const all = state.kind === 'ready' ? state.value : [];
  const own = all.find((device) => device.isThisDevice);
  const others = all.filter((device) => !device.isThisDevice && device.isActive);
  return (
    <section class="card" aria-labelledby="settings-device">
      <h3 id="settings-device">{t('settings.thisDevice')}</h3>
      <p>{session.deviceName}</p>
      <h4>{t('settings.fingerprint')}</h4>
      {own ? <Fingerprint groups={own.fingerprint} label={t('settings.fingerprint')} /> : null}
      {state.kind === 'loading' ? <p class="fingerprint-reserve" aria-busy="true" /> : null}
      <p class="card-text">
        {t(own || state.kind === 'loading' ? 'settings.fingerprintHint' : 'settings.noFingerprint')}
      </p>
      {others.length > 0 ? (
        <>
          <h4>{t('settings.otherKeys')}</h4>
          {byAge(others).map((device, index) => (
            <Device key={keyOf(device)} device={device} number={index + 1} onChanged={reload} />
          ))}
        </>
      ) : null}
    </section>
  );
}

type Leaving = { readonly label: Key; readonly ask: Key; run(): Promise<void> };

function Account() {
  const { parley, player, voice, attempt } = useApp();
  const [asked, setAsked] = useState<Leaving | null>(null);
  const leave = async (run: () => Promise<void>) => {
    player.stop();
    voice.apply('delete');
    voice.apply('expire');
    if (await attempt(run())) go({ name: 'chats' }, true);
  };
  const ways: readonly Leaving[] = [
    { label: 'settings.signOut', ask: 'settings.signOutAsk', run: () => parley.signOut() },
    {
      label: 'settings.signOutEverywhere',
      ask: 'settings.signOutEverywhereAsk',
      run: () => parley.signOutEverywhere(),
    },
  ];
  return (
    <section class="card" aria-labelledby="settings-account">
      <h3 id="settings-account">{t('settings.account')}</h3>
      {ways.map((way) => (
        <button key={way.label} type="button" class="text-button text-danger" onClick={() => setAsked(way)}>
          <Icon of={LogOut} size={20} />
          {t(way.label)}
        </button>
      ))}
      {asked ? (
        <Confirm
          title={t(asked.label)}
          text={t(asked.ask)}
          action={t(asked.label)}
          onConfirm={() => void leave(asked.run)}
          onClose={() => setAsked(null)}
        />
      ) : null}
    </section>
  );
}
