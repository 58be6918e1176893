import { Eye, EyeOff } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Key, t } from '../i18n';
import { SignInFailure } from '../model';
import { useApp } from './app-context';
import { Icon } from './icon';
import { Mark } from './mark';

type Trouble = { readonly key: Key; readonly field: 'address' | 'password' | null };

/** Address and password, and what went wrong in words. */
export function SignIn() {
  const { parley } = useApp();
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const lastSignOut = parley.lastSignOut.value;
  const shown: Trouble | null = trouble ?? (lastSignOut ? { key: `signInError.${lastSignOut}`, field: null } : null);

  useEffect(() => {
    document.title = t('app.name');
  });
  const submit = async (event: Event) => {
    event.preventDefault();
    const element = form.current;
    if (!element || isBusy) return;
    const data = new FormData(element);
    const address = String(data.get('address') ?? '').trim();
    const password = String(data.get('password') ?? '');
    const found = checkFilled(address, password) ?? (await signIn(address, password));
    setTrouble(found);
    if (found?.field) element.querySelector<HTMLInputElement>(`[name="${found.field}"]`)?.focus();
  };
  const signIn = async (address: string, password: string): Promise<Trouble | null> => {
    setBusy(true);
    setTrouble(null);
    try {
      await parley.signIn(address, password);
      return null;
    } catch (error) {
      return troubleOf(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <form ref={form} class="sign-in-form" onSubmit={submit} noValidate aria-busy={isBusy}>
        <Mark />
        <h1>{t('signIn.title')}</h1>
        <p class="sign-in-lead">{t('signIn.lead')}</p>
        <AddressField isInvalid={shown?.field === 'address'} />
        <PasswordField isInvalid={shown?.field === 'password'} />
        <div class="sign-in-trouble" id="sign-in-trouble" role="alert">
          {shown ? <p class="trouble">{t(shown.key)}</p> : null}
        </div>
        <button type="submit" class="button button-primary button-wide" aria-disabled={isBusy}>
          {t(isBusy ? 'signIn.busy' : 'signIn.submit')}
        </button>
        <p class="sign-in-note">{t('signIn.privacy')}</p>
      </form>
    </main>
  );
}

function AddressField({ isInvalid }: { readonly isInvalid: boolean }) {
  return (
    <label class="field">
      <span class="field-label">{t('signIn.address')}</span>
      <input
        name="address"
        class="input"
        type="text"
        inputMode="email"
        autocomplete="username"
        autocapitalize="none"
        autocorrect="off"
        spellcheck={false}
        aria-invalid={isInvalid}
        aria-describedby="sign-in-hint sign-in-trouble"
        required
      />
      <span class="field-hint" id="sign-in-hint">
        {t('signIn.addressHint')}
      </span>
    </label>
  );
}

function PasswordField({ isInvalid }: { readonly isInvalid: boolean }) {
  const [isShown, setShown] = useState(false);
  return (
    <div class="field">
      <label class="field-label" for="password">
        {t('signIn.password')}
      </label>
      <div class="input-group">
        <input
          id="password"
          name="password"
          class="input"
          type={(isShown ? 'text' : 'password') as 'password'}
          autocomplete="current-password"
          autocapitalize="none"
          spellcheck={false}
          aria-invalid={isInvalid}
          aria-describedby="sign-in-trouble"
          required
        />
        <button
          type="button"
          class="icon-button"
          aria-label={t(isShown ? 'signIn.hidePassword' : 'signIn.showPassword')}
          onClick={() => setShown(!isShown)}
        >
          <Icon of={isShown ? EyeOff : Eye} />
        </button>
      </div>
    </div>
  );
}

function checkFilled(address: string, password: string): Trouble | null {
  if (address === '') return { key: 'signIn.addressMissing', field: 'address' };
  if (password === '') return { key: 'signIn.passwordMissing', field: 'password' };
  return null;
}

function troubleOf(error: unknown): Trouble {
  const code = error instanceof SignInFailure ? error.code : 'server-error';
  const field = code === 'bad-address' ? 'address' : code === 'wrong-credentials' ? 'password' : null;
  return { key: `signInError.${code}`, field };
}
