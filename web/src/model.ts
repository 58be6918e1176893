/**
 * What the screens see. `src/client/` keeps it true (connection, storage, encryption); `src/ui/` draws it and calls
 * `Parley`; neither reaches behind it. Everything that changes is a signal; lists are immutable arrays, replaced when
 * they change. Times are milliseconds since the epoch, durations milliseconds, sizes bytes. `jid` is a bare address.
 */
import type { ReadonlySignal } from '@preact/signals';

/** Which machine may read the content (design, section 2). */
export type Confidentiality = 'sealed' | 'sealed+archive' | 'managed';

export type ConnectionState =
  | { readonly kind: 'signed-out' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online' }
  /** Another tab of this browser has the connection; `takeOver` brings it here. */
  | { readonly kind: 'elsewhere' }
  /** Lost; the next try starts at `retryAt`. */
  | { readonly kind: 'waiting'; readonly retryAt: number; readonly reason: 'network' | 'server' | 'throttled' };

/** Stable codes; the screens have a sentence for each in every language. */
export type SignInError =
  | 'wrong-credentials'
  | 'suspended'
  | 'throttled'
  | 'no-connection'
  | 'bad-address'
  | 'server-error'
  | 'storage-unavailable'
  | 'signed-out-elsewhere';

export interface Session {
  readonly jid: string;
  readonly name: string;
  /** Name of this installation, for example "Firefox · Linux". */
  readonly deviceName: string;
}

export type Availability = 'online' | 'away' | 'busy' | 'offline';

export type Subscription = 'none' | 'to' | 'from' | 'both';

export interface Contact {
  readonly jid: string;
  readonly name: string;
  readonly subscription: Subscription;
  /** Our request waits for the contact's answer. */
  readonly isRequested: boolean;
  readonly availability: Availability;
  readonly lastSeen?: number;
}

/** A contact's request that waits for our answer. */
export interface ContactRequest {
  readonly jid: string;
  readonly name: string;
}

export type SendState = 'waiting' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed';

export type FailureCode =
  | 'untrusted-devices'
  | 'no-devices'
  | 'too-large'
  | 'storage-full'
  | 'quota'
  | 'refused'
  | 'unreachable'
  | 'recipient-unknown'
  | 'not-allowed'
  | 'server-error';

export interface TextContent {
  readonly kind: 'text';
  readonly text: string;
}

export interface VoiceContent {
  readonly kind: 'voice';
  readonly durationMs: number;
  readonly sizeBytes: number;
  /** Loudness of about 44 equal parts, 0 to 1, from the real audio. */
  readonly waveform: readonly number[];
  /** Own: the recipient has heard it. Theirs: we have. */
  readonly isHeard: boolean;
  /** Where playback stopped last. */
  readonly positionMs: number;
  /** Upload or download under way: 0 to 1. */
  readonly progress?: number;
  /** The file is gone or cannot be opened. */
  readonly isUnavailable?: boolean;
}

export interface FileContent {
  readonly kind: 'file';
  readonly name: string;
  readonly mediaType: string;
  /** 0 until it is known. */
  readonly sizeBytes: number;
  /** Download under way: 0 to 1. */
  readonly progress?: number;
  /** The file is on this device. */
  readonly isStored: boolean;
  /** The file is gone or cannot be opened. */
  readonly isUnavailable?: boolean;
}

/** A message that was sealed for other devices than this one, or cannot be opened. */
export interface UnreadableContent {
  readonly kind: 'unreadable';
  /** `key-changed` and `distrusted` can be opened once the person trusts the device. */
  readonly reason: 'not-for-this-device' | 'broken' | 'unsupported' | 'key-changed' | 'distrusted';
}

/** A quiet centred note in the thread. */
export interface NoteContent {
  readonly kind: 'note';
  readonly note:
    | 'new-device'
    | 'device-removed'
    | 'key-changed'
    | 'class-changed'
    | 'plain-from-them'
    | 'first-contact';
  readonly jid: string;
  readonly deviceId?: number;
  readonly deviceName?: string;
  readonly confidentiality?: Confidentiality;
}

export type Content = TextContent | VoiceContent | FileContent | UnreadableContent | NoteContent;

export interface Message {
  /** Local id, stable over reloads. */
  readonly id: string;
  readonly conversation: string;
  readonly isOwn: boolean;
  readonly sender: string;
  readonly at: number;
  readonly content: Content;
  readonly confidentiality: Confidentiality;
  /**
   * Sealed by a device that the person has not decided about. It ends with the decision to trust the device; messages
   * far back, and those of a device that is distrusted, keep the mark.
   */
  readonly isUnchecked?: true;
  /** Own messages only. */
  readonly state?: SendState;
  /** Why it waits or failed. */
  readonly waitingFor?: 'connection' | 'trust' | 'own-trust' | 'devices' | 'upload' | 'server';
  readonly failure?: FailureCode;
}

export interface Conversation {
  readonly jid: string;
  readonly name: string;
  readonly confidentiality: Confidentiality;
  /** What they write comes unsealed just now; what we write does not. */
  readonly isPlainFromThem: boolean;
  readonly lastMessage?: Message;
  readonly unread: number;
  readonly isTyping: boolean;
  /** The contact records a voice message just now. */
  readonly isRecording: boolean;
  readonly availability: Availability;
  readonly draft: string;
}

/** The open conversation. Messages oldest first; older ones are added in front by `loadOlder`. */
export interface Thread {
  readonly jid: string;
  readonly messages: ReadonlySignal<readonly Message[]>;
  readonly isLoading: ReadonlySignal<boolean>;
  readonly hasOlder: ReadonlySignal<boolean>;
  /** Id of the first message that was unread when the thread was opened. */
  readonly firstUnread: string | null;
  loadOlder(): Promise<void>;
  /** The last message is on the screen and the window has the focus: tells the sender "read". */
  markRead(): void;
  close(): void;
}

export type Trust = 'undecided' | 'trusted-first-use' | 'verified' | 'distrusted';

export interface DeviceInfo {
  readonly jid: string;
  readonly deviceId: number;
  readonly name: string;
  readonly isThisDevice: boolean;
  readonly isActive: boolean;
  readonly trust: Trust;
  /** Groups of eight hexadecimal digits. */
  readonly fingerprint: readonly string[];
  readonly firstSeen: number;
}

/** An installation that is signed in to our account, as the server lists it. */
export interface SignedInDevice {
  readonly resource: string;
  readonly name: string;
  readonly lastSeen: number;
  readonly isOnline: boolean;
  readonly isThisDevice: boolean;
}

/** A finished recording: Ogg Opus bytes, mono 48 kHz. */
export interface Recording {
  readonly blob: Blob;
  readonly durationMs: number;
  readonly waveform: readonly number[];
}

/** The one object the screens talk to. */
export interface Parley {
  /** Undefined until the stored session, if any, has been read. */
  readonly session: ReadonlySignal<Session | null | undefined>;
  readonly connection: ReadonlySignal<ConnectionState>;
  readonly contacts: ReadonlySignal<readonly Contact[]>;
  readonly requests: ReadonlySignal<readonly ContactRequest[]>;
  /** Newest first. */
  readonly conversations: ReadonlySignal<readonly Conversation[]>;
  /** Messages that wait for the connection. */
  readonly waitingCount: ReadonlySignal<number>;
  /** Why the last session ended, until the next sign-in. */
  readonly lastSignOut: ReadonlySignal<SignInError | null>;

  start(): Promise<void>;
  /** Moves the connection from another tab of this browser to this one. */
  takeOver(): Promise<void>;
  /** `address` may be a bare name: the server's primary domain is added. Throws `SignInFailure`. */
  signIn(address: string, password: string): Promise<void>;
  /** Ends this installation's session and deletes what it stored. */
  signOut(): Promise<void>;
  /** All installations, this one included: their stored credentials become useless and their streams end. */
  signOutEverywhere(): Promise<void>;
  signedInDevices(): Promise<readonly SignedInDevice[]>;
  revokeDevice(resource: string): Promise<void>;

  addContact(address: string, name?: string): Promise<void>;
  renameContact(jid: string, name: string): Promise<void>;
  removeContact(jid: string): Promise<void>;
  acceptRequest(jid: string): Promise<void>;
  declineRequest(jid: string): Promise<void>;

  openThread(jid: string): Thread;
  sendText(jid: string, text: string): Promise<void>;
  /** The text is longer than can be sent in one message. */
  isTooLong(text: string): boolean;
  /**
   * Resolves when the message is stored. It has its place behind what was sent before from the call on, also while the
   * recording is still being made; rejects with what that rejects with.
   */
  sendVoice(jid: string, recording: Recording | Promise<Recording>): Promise<void>;
  retry(messageId: string): Promise<void>;
  /** A waiting or failed message of our own. */
  discard(messageId: string): Promise<void>;
  setDraft(jid: string, text: string): void;
  /** The person types or records; `null` when neither. */
  setComposing(jid: string, what: 'typing' | 'recording' | null): void;

  /** Decrypted Ogg Opus (or whatever the sender used) of a voice message; downloads when not cached. */
  voiceFile(messageId: string): Promise<Blob>;
  /** A file that was sent to us, decrypted; downloads when not cached. */
  file(messageId: string): Promise<Blob>;
  /** Remembers where playback stands. */
  setPosition(messageId: string, positionMs: number): void;
  /** Played to the end, or nearly: tells the sender "heard". */
  markHeard(messageId: string): void;
  /** The next voice message behind this one that is not ours and not heard. */
  nextUnheard(messageId: string): Message | null;

  devices(jid: string): Promise<readonly DeviceInfo[]>;
  /**
   * Records a decision about a device.
   *
   * @param device As the person saw it. Throws `RequestFailure` `key-changed` when its key is another by now.
   */
  setTrust(device: Pick<DeviceInfo, 'jid' | 'deviceId' | 'fingerprint'>, trust: Trust): Promise<void>;
}

/** Thrown by `signIn`. */
export class SignInFailure extends Error {
  constructor(readonly code: SignInError) {
    super(code);
    this.name = 'SignInFailure';
  }
}

/** Thrown by what a person asks for and the server or the browser refuses. */
export class RequestFailure extends Error {
  constructor(readonly code: FailureCode | 'bad-address' | 'no-connection' | 'key-changed') {
    super(code);
    this.name = 'RequestFailure';
  }
}
