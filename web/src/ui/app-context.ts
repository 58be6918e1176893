import { type ReadonlySignal, signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { t } from '../i18n';
import type { Conversation, Parley } from '../model';
import type { VoicePlayer } from '../voice/player';
import type { VoiceSession } from '../voice/session';
import { localPartOf } from './identity';

/** A short word at the lower edge, gone after some seconds. */
export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action?: { readonly label: string; run(): void };
}

/** What every screen may use. */
export interface App {
  readonly parley: Parley;
  readonly player: VoicePlayer;
  readonly voice: VoiceSession;
  readonly toast: ReadonlySignal<Toast | null>;
  /** Said to screen readers when they are free. */
  readonly announcement: ReadonlySignal<string>;
  /** Shows a toast; `lastsMs` null keeps it until `dismiss`. */
  show(text: string, action?: Toast['action'], lastsMs?: number | null): void;
  dismiss(): void;
  announce(text: string): void;
  /** Runs something that may fail on the network; a failure is said in words. */
  attempt(work: Promise<unknown>): Promise<boolean>;
}

const AppContext = createContext<App | null>(null);
export const AppProvider = AppContext.Provider;

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error('no app around this component');
  return app;
}

const toastMs = 5000;

/** The notices of the app: toasts and announcements. */
export function createNotices(): Pick<App, 'toast' | 'announcement' | 'show' | 'dismiss' | 'announce' | 'attempt'> {
  const toast = signal<Toast | null>(null);
  const announcement = signal('');
  let lastId = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const dismiss = () => {
    clearTimeout(timer);
    toast.value = null;
  };
  const announce = (text: string) => {
    // The same words twice are two announcements: a no-break space makes them differ.
    announcement.value = announcement.peek() === text ? `${text}\u00a0` : text;
  };
  const show: App['show'] = (text, action, lastsMs = toastMs) => {
    clearTimeout(timer);
    lastId += 1;
    toast.value = action ? { id: lastId, text, action } : { id: lastId, text };
    announce(text);
    if (lastsMs !== null) timer = setTimeout(dismiss, lastsMs);
  };
  const attempt = (work: Promise<unknown>) =>
    work.then(
      () => true,
      () => {
        show(t('common.failed'));
        return false;
      },
    );
  return { toast, announcement, show, dismiss, announce, attempt };
}

/** The name shown for an address: as the contact list says, else its first part. */
export function nameOf(parley: Parley, jid: string): string {
  const session = parley.session.value;
  if (session?.jid === jid) return session.name;
  const known =
    parley.contacts.value.find((contact) => contact.jid === jid) ??
    parley.conversations.value.find((conversation) => conversation.jid === jid);
  return known?.name || localPartOf(jid);
}

/** The conversation with an address; one that has no message yet is made up from the contact. */
export function conversationOf(parley: Parley, jid: string): Conversation {
  const known = parley.conversations.value.find((conversation) => conversation.jid === jid);
  if (known) return known;
  const contact = parley.contacts.value.find((candidate) => candidate.jid === jid);
  return {
    jid,
    name: contact?.name || localPartOf(jid),
    confidentiality: 'sealed',
    isPlainFromThem: false,
    unread: 0,
    isTyping: false,
    isRecording: false,
    availability: contact?.availability ?? 'offline',
    draft: '',
  };
}
