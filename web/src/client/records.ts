/** What the client keeps: the shapes of the values in the database. Everything here is sealed at rest, see `db.ts`. */
import type {
  Confidentiality,
  FailureCode,
  Message,
  NoteContent,
  SendState,
  TextContent,
  UnreadableContent,
} from '../model';
import type { SealedPayload } from './stanzas';

/** The signed-in account of this browser profile. */
export interface SessionRecord {
  readonly jid: string;
  readonly resource: string;
  readonly deviceName: string;
  /** Secret of this installation's credential. */
  readonly secret: string;
}

/** A voice message as stored; the recording itself is in the `blobs` store under the message's id. */
export interface StoredVoice {
  readonly kind: 'voice';
  /** `aesgcm:` address with key and nonce (XEP-0454); empty until an own recording is uploaded. */
  readonly url: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly durationMs: number;
  readonly waveform: readonly number[];
  readonly isHeard: boolean;
  readonly positionMs: number;
  readonly isUnavailable?: boolean;
}

/** A file of another kind that somebody sent, as stored; its bytes are in the `blobs` store once they were fetched. */
export interface StoredFile {
  readonly kind: 'file';
  /** `aesgcm:` address with key and nonce (XEP-0454). */
  readonly url: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly isStored: boolean;
  readonly isUnavailable?: boolean;
}

export type StoredContent = TextContent | StoredVoice | StoredFile | UnreadableContent | NoteContent;

export interface MessageRecord {
  /** Local id. */
  readonly id: string;
  readonly conversation: string;
  /** Place in the conversation: archive order; waiting messages of our own stand behind all others. */
  readonly order: number;
  /** XEP-0359 id that our own server gave. */
  readonly stanzaId?: string;
  /** The `id` of the stanza; receipts and markers name it. */
  readonly wireId?: string;
  /** XEP-0359 id that the sender gave. */
  readonly originId?: string;
  readonly isOwn: boolean;
  readonly sender: string;
  readonly at: number;
  readonly content: StoredContent;
  readonly confidentiality: Confidentiality;
  /** As it came, while the device that sealed it is not trusted; opened when the person decides otherwise. */
  readonly refused?: SealedPayload;
  /** Fingerprint of the key it was sealed with, as long as the person has not decided about its device. */
  readonly uncheckedKey?: string;
  readonly isUnread?: boolean;
  /** Theirs: they asked to be told when it is read. */
  readonly isMarkable?: boolean;
  readonly state?: SendState;
  readonly waitingFor?: Message['waitingFor'];
  readonly failure?: FailureCode;
}

export interface ConversationRecord {
  readonly jid: string;
  readonly confidentiality: Confidentiality;
  readonly draft: string;
  /** The class of the last message of theirs. */
  readonly theirClass?: Confidentiality;
  /** The archive holds nothing older than what is cached. */
  readonly isComplete: boolean;
}

export interface RosterRecord {
  readonly jid: string;
  readonly name: string;
  readonly subscription: 'none' | 'to' | 'from' | 'both';
  readonly isRequested: boolean;
  readonly lastSeen?: number;
}

/** An encrypted recording on its way to the server. */
export interface PendingUpload {
  readonly fileName: string;
  /** 32-byte key and 12-byte nonce of the AES-GCM content, hexadecimal as in the address. */
  readonly fragment: string;
  readonly sizeBytes: number;
  readonly slot?: UploadSlot;
}

export interface UploadSlot {
  readonly put: string;
  readonly get: string;
  readonly headers: Readonly<Record<string, string>>;
  /** When the slot was given. */
  readonly at: number;
}

/**
 * One thing that has to reach the server. Its fields fill up as it moves on: `upload` (voice only), then `body`, then
 * `stanza`. What is there is final: a resent stanza is the same to the byte.
 */
export interface OutboxRecord {
  readonly seq: number;
  readonly conversation: string;
  /** The message this belongs to; null for markers and the like. */
  readonly messageId: string | null;
  /** The stanza's id. */
  readonly wireId: string;
  readonly upload?: PendingUpload;
  /** What gets encrypted. */
  readonly body?: string;
  /** The complete stanza, as it is or will be sent. */
  readonly stanza?: string;
}
