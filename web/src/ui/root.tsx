import { t } from '../i18n';
import type { Parley } from '../model';
import { createPlayer } from '../voice/browser-player';
import { createRecorderOpener } from '../voice/open-recorder';
import { VoiceSession } from '../voice/session';
import { type App, AppProvider, createNotices, nameOf } from './app-context';
import { Elsewhere } from './elsewhere';
import { Notices } from './notices';
import { Shell } from './shell';
import { SignIn } from './sign-in';

/** Wires what the screens share; called once. */
export function createApp(parley: Parley): App {
  const player = createPlayer(parley, (jid) => nameOf(parley, jid));
  const voice = new VoiceSession({
    open: createRecorderOpener(),
    send: (jid, recording) => parley.sendVoice(jid, recording),
    silence: () => player.pause(),
    onRecording: (jid, isRecording) => parley.setComposing(jid, isRecording ? 'recording' : null),
    after: (ms, act) => {
      const timer = setTimeout(act, ms);
      return () => clearTimeout(timer);
    },
  });
  addEventListener('beforeunload', (event) => {
    // The browser asks before a recording is lost with the page.
    if (voice.isUnsaved) event.preventDefault();
  });
  // On its way down, before the client stores what it has not stored yet.
  addEventListener('pagehide', () => player.flush(), { capture: true });
  return { parley, player, voice, ...createNotices() };
}

/** The whole app. */
export function Root({ app }: { readonly app: App }) {
  return (
    <AppProvider value={app}>
      <Screen app={app} />
      <Notices />
    </AppProvider>
  );
}

function Screen({ app }: { readonly app: App }) {
  const session = app.parley.session.value;
  if (app.parley.connection.value.kind === 'elsewhere') return <Elsewhere />;
  if (session === undefined) return <main class="splash" aria-busy="true" aria-label={t('app.loading')} />;
  return session === null ? <SignIn /> : <Shell key={session.jid} session={session} />;
}
