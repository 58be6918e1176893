import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { announcedDevices, buildBundle, parseBundle } from './pep';
import {
  buildChatState,
  buildDisplayed,
  buildHeard,
  buildKeyTransport,
  buildReceipt,
  buildSealed,
  deviceIdOf,
  failureOf,
  parseArchived,
  parseMessage,
  parseSealed,
  type SealedPayload,
} from './stanzas';
import { find, type XmlNode, x } from './xml';

const OWN = 'me@home';
const CLIENT = 'jabber:client';
const STAMP = '2026-01-02T03:04:05Z';

function message(attrs: Record<string, string>, ...children: XmlNode[]): XmlNode {
  return x(CLIENT, 'message', attrs, ...children);
}

function forwarded(inner: XmlNode): XmlNode {
  return x('urn:xmpp:forward:0', 'forwarded', {}, x('urn:xmpp:delay', 'delay', { stamp: STAMP }), inner);
}

function carbon(direction: 'sent' | 'received', inner: XmlNode): XmlNode {
  return x('urn:xmpp:carbons:2', direction, {}, forwarded(inner));
}

const body = x(CLIENT, 'body', {}, 'hello');

describe('parseMessage', () => {
  it('reads a message with what goes with it', () => {
    const stanza = message(
      { from: 'you@there/x', to: 'me@home/r', id: '1', type: 'chat' },
      body,
      x('urn:xmpp:receipts', 'request'),
      x('urn:xmpp:chat-markers:0', 'markable'),
      x('urn:xmpp:sid:0', 'origin-id', { id: 'o' }),
      x('urn:xmpp:delay', 'delay', { stamp: STAMP }),
    );
    expect(parseMessage(stanza, OWN)).toMatchObject({
      source: 'live',
      from: 'you@there',
      peer: 'you@there',
      isOwn: false,
      id: '1',
      originId: 'o',
      at: Date.parse(STAMP),
      body: 'hello',
      wantsReceipt: true,
      isMarkable: true,
    });
  });

  it('believes a stanza id of our own server only', () => {
    const forged = x('urn:xmpp:sid:0', 'stanza-id', { by: 'you@there', id: 'forged' });
    const given = x('urn:xmpp:sid:0', 'stanza-id', { by: OWN, id: 'given' });
    expect(parseMessage(message({ from: 'you@there' }, forged, given), OWN)?.stanzaId).toBe('given');
    expect(parseMessage(message({ from: 'you@there' }, forged), OWN)?.stanzaId).toBeUndefined();
  });

  it('unwraps carbons of our own account', () => {
    const inner = message({ from: 'me@home/phone', to: 'you@there', id: '1' }, body);
    const envelope = parseMessage(message({ from: OWN, to: 'me@home/r' }, carbon('sent', inner)), OWN);
    expect(envelope).toMatchObject({ source: 'carbon', isOwn: true, peer: 'you@there', body: 'hello' });
  });

  it('ignores a carbon from anybody else', () => {
    const inner = message({ from: 'you@there', to: OWN }, body);
    expect(parseMessage(message({ from: 'eve@there' }, carbon('received', inner)), OWN)).toBeNull();
    expect(parseMessage(message({ from: 'me@home/other' }, carbon('received', inner)), OWN)).toBeNull();
  });

  it('reads the condition of an error', () => {
    const error = x(
      CLIENT,
      'error',
      { type: 'cancel' },
      x('urn:ietf:params:xml:ns:xmpp-stanzas', 'service-unavailable'),
    );
    const envelope = parseMessage(message({ from: 'you@there', type: 'error', id: '1' }, error), OWN);
    expect(envelope?.error).toEqual({ condition: 'service-unavailable', type: 'cancel' });
    expect(failureOf('service-unavailable')).toBe('recipient-unknown');
    expect(failureOf('never-heard-of')).toBe('server-error');
  });

  it('tells a cipher that it does not know from plain text', () => {
    const foreign = message({ from: 'you@there' }, body, x('urn:xmpp:eme:0', 'encryption', { namespace: 'other' }));
    expect(parseMessage(foreign, OWN)?.isForeignCipher).toBe(true);
    expect(parseMessage(message({ from: 'you@there' }, body), OWN)?.isForeignCipher).toBe(false);
  });

  const encrypted = (ns: string, ...children: XmlNode[]) => x(ns, 'encrypted', {}, x(ns, 'header'), ...children);
  const omemo2 = 'urn:xmpp:omemo:2';

  it.each([
    ['OMEMO of another version', [encrypted(omemo2, x(omemo2, 'payload'))]],
    ['the same with a word for other apps', [encrypted(omemo2, x(omemo2, 'payload')), body]],
    ['OMEMO that is not well made', [encrypted('eu.siacs.conversations.axolotl'), body]],
    ['OpenPGP', [x('urn:xmpp:openpgp:0', 'openpgp'), body]],
    ['old OpenPGP', [x('jabber:x:encrypted', 'x'), body]],
    ['OTR', [x(CLIENT, 'body', {}, '?OTR:AAMD')]],
  ])('knows %s for a cipher though nothing says so', (_name, children) => {
    expect(parseMessage(message({ from: 'you@there' }, ...children), OWN)?.isForeignCipher).toBe(true);
  });

  it('has nothing to show of a message that carries keys only', () => {
    const keys = message({ from: 'you@there' }, encrypted(omemo2), x('urn:xmpp:eme:0', 'encryption'));
    expect(parseMessage(keys, OWN)?.isForeignCipher).toBe(false);
  });
});

describe('parseArchived', () => {
  const inner = message({ from: 'you@there', to: OWN, id: '1' }, body);
  const result = x('urn:xmpp:mam:2', 'result', { queryid: 'q', id: 'a1' }, forwarded(inner));

  it('takes id and time from the archive', () => {
    const archived = parseArchived(message({ from: OWN }, result), OWN);
    expect(archived).toMatchObject({ queryId: 'q', archiveId: 'a1' });
    expect(archived?.envelope).toMatchObject({ source: 'archive', stanzaId: 'a1', at: Date.parse(STAMP) });
  });

  it('believes our own archive only', () => {
    expect(parseArchived(message({ from: 'eve@there' }, result), OWN)).toBeNull();
  });
});

describe('sealed messages', () => {
  const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
  const payloads: fc.Arbitrary<SealedPayload> = fc.record({
    senderDeviceId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    keys: fc.array(
      fc.record({ deviceId: fc.integer({ min: 1, max: 2 ** 32 - 1 }), data: bytes(1, 80), preKey: fc.boolean() }),
      { maxLength: 4 },
    ),
    iv: bytes(12, 16),
    payload: fc.option(bytes(0, 60), { nil: null }),
  });

  it('come back as they were built', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const built = buildSealed('you@there', 'id', payload);
        const parsed = parseMessage({ ...built, attrs: { ...built.attrs, from: 'me@home/r' } }, OWN);
        expect(parsed?.sealed).toEqual(payload);
        expect(parsed).toMatchObject({ originId: 'id', id: 'id', wantsReceipt: true, isMarkable: true });
      }),
    );
  });

  it('show nothing when they carry keys only', () => {
    const built = buildKeyTransport('you@there', 'id', {
      senderDeviceId: 1,
      keys: [],
      iv: new Uint8Array(12),
      payload: null,
    });
    expect(find(built, CLIENT, 'body')).toBeUndefined();
  });

  it.each([{}, { sid: '0' }, { sid: '4294967296' }, { sid: 'x' }])('are refused with a header %j', (attrs) => {
    const ns = 'eu.siacs.conversations.axolotl';
    const element = x(ns, 'encrypted', {}, x(ns, 'header', attrs, x(ns, 'iv', {}, 'AAAA')));
    expect(parseSealed(element)).toBeNull();
  });

  it('are refused with broken base64', () => {
    const ns = 'eu.siacs.conversations.axolotl';
    const element = x(ns, 'encrypted', {}, x(ns, 'header', { sid: '1' }, x(ns, 'iv', {}, '*')));
    expect(parseSealed(element)).toBeNull();
  });
});

describe('marks', () => {
  it.each([
    [buildReceipt('you@there', 'i', 'm'), { receiptFor: 'm' }],
    [buildDisplayed('you@there', 'i', 'm'), { displayed: 'm' }],
    [buildHeard('you@there', 'i', 'm'), { heard: 'm' }],
    [buildChatState('you@there', 'i', 'composing', true), { chatState: 'composing', isRecording: true }],
    [buildChatState('you@there', 'i', 'paused'), { chatState: 'paused', isRecording: false }],
  ] as const)('come back as they were built', (built, expected) => {
    expect(parseMessage(built, OWN)).toMatchObject(expected);
  });

  it('are kept by the server, but for what only counts now', () => {
    expect(find(buildDisplayed('a@b', 'i', 'm'), 'urn:xmpp:hints', 'store')).toBeDefined();
    expect(find(buildChatState('a@b', 'i', 'paused'), 'urn:xmpp:hints', 'no-store')).toBeDefined();
  });
});

describe('device lists and bundles', () => {
  it('come back as they were built', () => {
    const bundle = {
      deviceId: 7,
      signedPreKeyId: 3,
      identityKey: new Uint8Array(33).fill(5),
      signedPreKey: new Uint8Array(33).fill(6),
      signedPreKeySignature: new Uint8Array(64).fill(7),
      preKeys: [
        { id: 0, key: new Uint8Array(33).fill(8) },
        { id: 9, key: new Uint8Array(33).fill(9) },
      ],
    };
    expect(parseBundle(buildBundle(bundle), 7)).toEqual(bundle);
  });

  it('takes the ids that can be one, once each', () => {
    const ns = 'eu.siacs.conversations.axolotl';
    const devices = ['1', '1', '0', '-3', 'x', '4294967295'].map((id) => x(ns, 'device', { id }));
    const items = x(
      'http://jabber.org/protocol/pubsub#event',
      'items',
      { node: `${ns}.devicelist` },
      x('http://jabber.org/protocol/pubsub#event', 'item', {}, x(ns, 'list', {}, ...devices)),
    );
    expect(announcedDevices(x('http://jabber.org/protocol/pubsub#event', 'event', {}, items))).toEqual([1, 4294967295]);
    expect(deviceIdOf(undefined)).toBeNull();
  });
});
