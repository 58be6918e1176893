import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { useApp } from './app-context';
import { Mark } from './mark';
import { isPageOutdated } from './updates';

/** Another tab has the app: says so, and takes it back on request. */
export function Elsewhere() {
  const { parley, player, voice, attempt } = useApp();
  const [isBusy, setBusy] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    document.title = t('app.name');
    // Two tabs that speak at once help nobody; a recording waits here, paused.
    player.stop();
    voice.apply('leave');
    button.current?.focus();
  }, [player, voice]);
  const take = async () => {
    if (isBusy) return;
    setBusy(true);
    // Loading the page anew takes the app over, too.
    if (isPageOutdated()) return location.reload();
    await attempt(parley.takeOver());
    setBusy(false);
  };
  return (
    <main class="full">
      <div class="empty">
        <Mark />
        <h1>{t('elsewhere.title')}</h1>
        <p>{t('elsewhere.text')}</p>
        <button
          ref={button}
          type="button"
          class="button button-primary"
          aria-disabled={isBusy}
          onClick={() => void take()}
        >
          {t(isBusy ? 'elsewhere.busy' : 'elsewhere.take')}
        </button>
      </div>
    </main>
  );
}
