/** Messages as stanzas: taking apart what arrives, putting together what leaves. Nothing here does I/O. */
import { fromBase64, toBase64 } from '../e2ee/bytes';
import type { FailureCode } from '../model';
import { bareOf } from './jid';
import { NS } from './ns';
import { elements, find, findAll, textOf, type XmlNode, x } from './xml';

/** A legacy OMEMO element (XEP-0384 0.3.0 section 4.4). */
export interface SealedPayload {
  readonly senderDeviceId: number;
  readonly keys: readonly SealedKey[];
  readonly iv: Uint8Array;
  /** Absent in a message that carries keys only. */
  readonly payload: Uint8Array | null;
}

export interface SealedKey {
  readonly deviceId: number;
  readonly data: Uint8Array;
  readonly preKey: boolean;
}

export type ChatState = 'active' | 'composing' | 'paused' | 'inactive' | 'gone';

/** A message stanza, whichever way it came. */
export interface Envelope {
  readonly source: 'live' | 'carbon' | 'archive';
  /** Bare address of the sender. */
  readonly from: string;
  readonly fromFull: string;
  /** Bare address of the other side. */
  readonly peer: string;
  readonly isOwn: boolean;
  readonly type: string;
  readonly id?: string;
  readonly originId?: string;
  /** The id that our own server gave; nobody else's is believed (XEP-0359 section 6). */
  readonly stanzaId?: string;
  /** When the server took it, milliseconds since the epoch. */
  readonly at?: number;
  readonly body?: string;
  readonly sealed?: SealedPayload;
  /** Encrypted in a way that this app does not know, said so (XEP-0380) or not. */
  readonly isForeignCipher: boolean;
  readonly wantsReceipt: boolean;
  readonly isMarkable: boolean;
  readonly receiptFor?: string;
  readonly displayed?: string;
  readonly heard?: string;
  readonly chatState?: ChatState;
  readonly isRecording: boolean;
  readonly error?: { readonly condition: string; readonly type: string };
  /** Content of a XEP-0060 event, if that is what the message is. */
  readonly event?: XmlNode;
}

/** One entry of an archive query's answer. */
export interface Archived {
  readonly queryId: string;
  readonly archiveId: string;
  readonly envelope: Envelope | null;
}

/**
 * Reads a message that came over the stream itself; a carbon is unwrapped.
 *
 * @param own Bare address of the account.
 * @returns null for a carbon that does not come from our own account: XEP-0280 section 11 has it ignored.
 */
export function parseMessage(stanza: XmlNode, own: string): Envelope | null {
  for (const direction of ['received', 'sent'] as const) {
    const carbon = find(stanza, NS.carbons, direction);
    if (carbon) {
      const inner = isFromSelf(stanza, own) ? forwarded(carbon) : null;
      return inner && parseOne(inner.message, own, 'carbon', inner.at);
    }
  }
  return parseOne(stanza, own, 'live');
}

/** Reads an archive result; null when the stanza is none, or not from our own archive. */
export function parseArchived(stanza: XmlNode, own: string): Archived | null {
  const result = find(stanza, NS.mam, 'result');
  const archiveId = result?.attrs.id;
  if (!result || !archiveId || !isFromSelf(stanza, own)) {
    return null;
  }
  const inner = forwarded(result);
  const envelope = inner && parseOne(inner.message, own, 'archive', inner.at);
  return {
    queryId: result.attrs.queryid ?? '',
    archiveId,
    envelope: envelope && { ...envelope, stanzaId: archiveId },
  };
}

function parseOne(message: XmlNode, own: string, source: Envelope['source'], forwardedAt?: number): Envelope | null {
  if (message.name !== 'message') {
    return null;
  }
  const fromFull = message.attrs.from ?? own;
  const from = bareOf(fromFull);
  const to = bareOf(message.attrs.to ?? own);
  const isOwn = from === own;
  const at = forwardedAt ?? delayOf(message);
  return {
    source,
    from,
    fromFull,
    peer: isOwn ? to : from,
    isOwn,
    type: message.attrs.type ?? 'normal',
    ...idsOf(message, own),
    ...(at !== undefined && { at }),
    ...contentOf(message),
    ...marksOf(message),
    ...errorOf(message),
  };
}

function idsOf(message: XmlNode, own: string): Pick<Envelope, 'id' | 'originId' | 'stanzaId'> {
  const id = message.attrs.id;
  const originId = find(message, NS.sid, 'origin-id')?.attrs.id;
  const stanzaId = findAll(message, NS.sid, 'stanza-id').find((candidate) => candidate.attrs.by === own)?.attrs.id;
  return { ...(id && { id }), ...(originId && { originId }), ...(stanzaId && { stanzaId }) };
}

function contentOf(message: XmlNode): Pick<Envelope, 'body' | 'sealed' | 'isForeignCipher' | 'event'> {
  const body = find(message, NS.client, 'body');
  const encrypted = find(message, NS.axolotl, 'encrypted');
  const sealed = encrypted && parseSealed(encrypted);
  const event = find(message, NS.pubsubEvent, 'event');
  return {
    ...(body && { body: textOf(body) }),
    ...(sealed && { sealed }),
    ...(event && { event }),
    isForeignCipher: !sealed && isForeignCipher(message),
  };
}

/**
 * Whether there is a content that only another app can read. What stands in clear beside it was written by a machine to
 * say so, and is nothing that the sender said.
 */
function isForeignCipher(message: XmlNode): boolean {
  const body = find(message, NS.client, 'body');
  const ciphers = elements(message).filter(isCipher);
  const isSaid = find(message, NS.eme, 'encryption') !== undefined || ciphers.length > 0;
  const isOtr = body !== undefined && textOf(body).startsWith('?OTR');
  // A message that carries keys only shows nothing (XEP-0384).
  const hasContent = body !== undefined || ciphers.some((cipher) => !isKeyTransport(cipher));
  return isOtr || (isSaid && hasContent);
}

/** `encrypted` of any version of OMEMO, and both ways of OpenPGP (XEP-0373, XEP-0027). */
function isCipher(child: XmlNode): boolean {
  return child.name === 'encrypted' || child.ns === NS.pgp || child.ns === NS.oldPgp;
}

function isKeyTransport(cipher: XmlNode): boolean {
  return cipher.name === 'encrypted' && !elements(cipher).some((child) => child.name === 'payload');
}

function marksOf(
  message: XmlNode,
): Pick<Envelope, 'wantsReceipt' | 'isMarkable' | 'receiptFor' | 'displayed' | 'heard' | 'chatState' | 'isRecording'> {
  const receiptFor = find(message, NS.receipts, 'received')?.attrs.id;
  const displayed = find(message, NS.markers, 'displayed')?.attrs.id;
  const heard = find(message, NS.voice, 'heard')?.attrs.id;
  const state = elements(message).find((child) => child.ns === NS.chatStates)?.name;
  return {
    wantsReceipt: find(message, NS.receipts, 'request') !== undefined,
    isMarkable: find(message, NS.markers, 'markable') !== undefined,
    isRecording: find(message, NS.voice, 'recording') !== undefined,
    ...(receiptFor && { receiptFor }),
    ...(displayed && { displayed }),
    ...(heard && { heard }),
    ...(isChatState(state) && { chatState: state }),
  };
}

function errorOf(message: XmlNode): Pick<Envelope, 'error'> {
  if (message.attrs.type !== 'error') {
    return {};
  }
  const error = find(message, NS.client, 'error');
  const condition = elements(error).find((child) => child.ns === NS.stanzas && child.name !== 'text')?.name;
  return { error: { condition: condition ?? 'undefined-condition', type: error?.attrs.type ?? 'cancel' } };
}

/** Reads an `encrypted` element; null when it is not well made. */
export function parseSealed(encrypted: XmlNode): SealedPayload | null {
  const header = find(encrypted, NS.axolotl, 'header');
  const senderDeviceId = deviceIdOf(header?.attrs.sid);
  const iv = find(header, NS.axolotl, 'iv');
  const payload = find(encrypted, NS.axolotl, 'payload');
  if (!header || senderDeviceId === null || !iv) {
    return null;
  }
  try {
    return {
      senderDeviceId,
      keys: findAll(header, NS.axolotl, 'key').flatMap(parseKey),
      iv: fromBase64(textOf(iv)),
      payload: payload ? fromBase64(textOf(payload)) : null,
    };
  } catch {
    return null;
  }
}

function parseKey(key: XmlNode): SealedKey[] {
  const deviceId = deviceIdOf(key.attrs.rid);
  const preKey = key.attrs.prekey;
  return deviceId === null
    ? []
    : [{ deviceId, data: fromBase64(textOf(key)), preKey: preKey === 'true' || preKey === '1' }];
}

/** A device id (1 to 2^32 - 1), or null. */
export function deviceIdOf(text: string | undefined): number | null {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0;
  return id >= 1 && id < 2 ** 32 ? id : null;
}

/** Time of a XEP-0082 stamp, or undefined. */
export function timeOf(stamp: string | undefined): number | undefined {
  const time = stamp === undefined ? Number.NaN : Date.parse(stamp);
  return Number.isNaN(time) ? undefined : time;
}

/** What a message stanza's error means to the person who wrote it. */
export function failureOf(condition: string): FailureCode {
  return FAILURES[condition] ?? 'server-error';
}

const FAILURES: Readonly<Record<string, FailureCode>> = {
  'item-not-found': 'recipient-unknown',
  'recipient-unavailable': 'unreachable',
  'remote-server-not-found': 'unreachable',
  'remote-server-timeout': 'unreachable',
  'service-unavailable': 'recipient-unknown',
  forbidden: 'not-allowed',
  'not-allowed': 'not-allowed',
  'not-authorized': 'not-allowed',
  'policy-violation': 'refused',
  'not-acceptable': 'refused',
  'bad-request': 'refused',
  'resource-constraint': 'quota',
};

/** Shown by apps that cannot open the message. */
const FALLBACK = 'This message is sealed (OMEMO) and your app could not open it.';

/** A sealed message (XEP-0384 0.3.0) with all that goes with it: receipts, markers, ids, hints. */
export function buildSealed(to: string, id: string, sealed: SealedPayload): XmlNode {
  return x(
    NS.client,
    'message',
    { to, type: 'chat', id },
    buildEncrypted(sealed),
    x(NS.eme, 'encryption', { namespace: NS.axolotl, name: 'OMEMO' }),
    x(NS.client, 'body', {}, FALLBACK),
    x(NS.receipts, 'request'),
    x(NS.markers, 'markable'),
    x(NS.sid, 'origin-id', { id }),
    x(NS.chatStates, 'active'),
    x(NS.hints, 'store'),
  );
}

/** A message that carries keys only and shows nothing: it gives both sides a session that works. */
export function buildKeyTransport(to: string, id: string, sealed: SealedPayload): XmlNode {
  return x(
    NS.client,
    'message',
    { to, type: 'chat', id },
    buildEncrypted(sealed),
    x(NS.eme, 'encryption', { namespace: NS.axolotl, name: 'OMEMO' }),
    x(NS.sid, 'origin-id', { id }),
    x(NS.hints, 'store'),
  );
}

function buildEncrypted(sealed: SealedPayload): XmlNode {
  const keys = sealed.keys.map((key) =>
    x(NS.axolotl, 'key', { rid: String(key.deviceId), prekey: key.preKey ? 'true' : undefined }, toBase64(key.data)),
  );
  return x(
    NS.axolotl,
    'encrypted',
    {},
    x(
      NS.axolotl,
      'header',
      { sid: String(sealed.senderDeviceId) },
      ...keys,
      x(NS.axolotl, 'iv', {}, toBase64(sealed.iv)),
    ),
    sealed.payload && x(NS.axolotl, 'payload', {}, toBase64(sealed.payload)),
  );
}

/** "Your message arrived" (XEP-0184). */
export function buildReceipt(to: string, id: string, receivedId: string): XmlNode {
  return mark(to, id, x(NS.receipts, 'received', { id: receivedId }));
}

/** "Everything up to this message was on the screen" (XEP-0333). */
export function buildDisplayed(to: string, id: string, displayedId: string): XmlNode {
  return mark(to, id, x(NS.markers, 'displayed', { id: displayedId }));
}

/** "This voice message was played". */
export function buildHeard(to: string, id: string, heardId: string): XmlNode {
  return mark(to, id, x(NS.voice, 'heard', { id: heardId }));
}

function mark(to: string, id: string, payload: XmlNode): XmlNode {
  return x(
    NS.client,
    'message',
    { to, type: 'chat', id },
    payload,
    x(NS.sid, 'origin-id', { id }),
    x(NS.hints, 'store'),
  );
}

/** What the person does just now (XEP-0085); of no worth later, so never stored. */
export function buildChatState(to: string, id: string, state: ChatState, isRecording = false): XmlNode {
  return x(
    NS.client,
    'message',
    { to, type: 'chat', id },
    x(NS.chatStates, state),
    isRecording && x(NS.voice, 'recording'),
    x(NS.hints, 'no-store'),
  );
}

function forwarded(wrapper: XmlNode): { message: XmlNode; at?: number } | null {
  const inner = find(wrapper, NS.forward, 'forwarded');
  const message = find(inner, NS.client, 'message');
  const at = timeOf(find(inner, NS.delay, 'delay')?.attrs.stamp);
  return message ? { message, ...(at !== undefined && { at }) } : null;
}

function delayOf(message: XmlNode): number | undefined {
  return timeOf(find(message, NS.delay, 'delay')?.attrs.stamp);
}

// RFC 6120 section 8.1.2.1: a stanza without `from` comes from our own account.
function isFromSelf(stanza: XmlNode, own: string): boolean {
  return stanza.attrs.from === undefined || stanza.attrs.from === own;
}

function isChatState(name: string | undefined): name is ChatState {
  return name !== undefined && ['active', 'composing', 'paused', 'inactive', 'gone'].includes(name);
}
