import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import { useApp } from '../app-context';
import { localPartOf } from '../identity';
import { go, goBack } from '../route';
import { Sheet } from '../sheet';

/** Adds someone by address and opens the conversation. */
export function NewChat() {
  const { parley } = useApp();
  const [trouble, setTrouble] = useState<'new.bad' | 'new.failed' | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const address = completeAddress(String(data.get('contact') ?? ''), parley.session.peek()?.jid ?? '');
    if (address === null) return setTrouble('new.bad');
    setBusy(true);
    try {
      const name = String(data.get('contact-name') ?? '').trim();
      const isKnown = parley.contacts.peek().some(({ jid }) => jid === address);
      if (!isKnown) await parley.addContact(address, name || localPartOf(address));
      go({ name: 'thread', jid: address }, true);
    } catch {
      setTrouble('new.failed');
      setBusy(false);
    }
  };
  return (
    <Sheet title={t('new.title')} onClose={goBack}>
      <form class="form" onSubmit={submit} noValidate>
        <label class="field">
          <span class="field-label">{t('new.address')}</span>
          <input
            name="contact"
            class="input"
            type="text"
            inputMode="email"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            aria-invalid={trouble !== null}
            aria-describedby="new-trouble"
            autofocus
          />
        </label>
        <label class="field">
          <span class="field-label">{t('new.name')}</span>
          <input name="contact-name" class="input" type="text" autocomplete="off" />
        </label>
        <div id="new-trouble" role="alert">
          {trouble ? <p class="trouble">{t(trouble)}</p> : null}
        </div>
        <button type="submit" class="button button-primary button-wide" aria-disabled={isBusy}>
          {t('new.submit')}
        </button>
      </form>
    </Sheet>
  );
}

/**
 * What was typed as a bare address in lower case, a bare name completed with our own domain; null when it cannot be
 * one. The server has the last word (RFC 7622).
 */
export function completeAddress(typed: string, ownJid: string): string | null {
  const address = typed.trim().toLowerCase();
  const complete = address.includes('@') ? address : `${address}@${ownJid.slice(ownJid.indexOf('@') + 1)}`;
  return /^[^\s@"&'/:<>]+@[^\s@/]+$/u.test(complete) ? complete : null;
}
