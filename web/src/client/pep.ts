/** OMEMO's device lists and bundles as personal events (XEP-0163), in the legacy form of XEP-0384 0.3.0. */
import { type Bundle, fromBase64, toBase64 } from '../e2ee';
import { StanzaError } from './errors';
import type { Link } from './link';
import { NS } from './ns';
import { deviceIdOf } from './stanzas';
import { find, findAll, textOf, type XmlNode, x } from './xml';

type Asking = Pick<Link, 'request'>;

/**
 * Reads the device list of somebody; an empty one when there is none.
 *
 * @throws StanzaError when it is refused or cannot be had just now: that says nothing about what is in it.
 * @throws OfflineError
 */
export async function fetchDeviceList(link: Asking, jid: string): Promise<number[]> {
  const item = await fetchItem(link, jid, NS.deviceList);
  return item ? deviceIdsOf(item) : [];
}

/** The ids in a list that an event or an answer holds. */
export function deviceIdsOf(item: XmlNode): number[] {
  const ids = findAll(find(item, NS.axolotl, 'list'), NS.axolotl, 'device').map((device) =>
    deviceIdOf(device.attrs.id),
  );
  return [...new Set(ids.filter((id) => id !== null))];
}

/** The device list that an event announces; null when it is an event about something else. */
export function announcedDevices(event: XmlNode): number[] | null {
  const items = find(event, NS.pubsubEvent, 'items');
  if (items?.attrs.node !== NS.deviceList) {
    return null;
  }
  const item = find(items, NS.pubsubEvent, 'item');
  return item ? deviceIdsOf(item) : null;
}

/**
 * Reads a bundle; null when it is missing or not well made.
 *
 * @throws StanzaError when it is refused or cannot be had just now.
 * @throws OfflineError
 */
export async function fetchBundle(link: Asking, jid: string, deviceId: number): Promise<Bundle | null> {
  const item = await fetchItem(link, jid, `${NS.bundles}:${deviceId}`);
  const bundle = find(item, NS.axolotl, 'bundle');
  return bundle ? parseBundle(bundle, deviceId) : null;
}

/** Reads a `bundle` element; null when it is not well made. */
export function parseBundle(bundle: XmlNode, deviceId: number): Bundle | null {
  const signed = find(bundle, NS.axolotl, 'signedPreKeyPublic');
  const signedPreKeyId = keyIdOf(signed?.attrs.signedPreKeyId);
  const preKeys = findAll(find(bundle, NS.axolotl, 'prekeys'), NS.axolotl, 'preKeyPublic');
  if (signedPreKeyId === null) {
    return null;
  }
  try {
    return {
      deviceId,
      signedPreKeyId,
      identityKey: fromBase64(textOf(find(bundle, NS.axolotl, 'identityKey'))),
      signedPreKey: fromBase64(textOf(signed)),
      signedPreKeySignature: fromBase64(textOf(find(bundle, NS.axolotl, 'signedPreKeySignature'))),
      preKeys: preKeys.flatMap((preKey) => {
        const id = keyIdOf(preKey.attrs.preKeyId);
        return id === null ? [] : [{ id, key: fromBase64(textOf(preKey)) }];
      }),
    };
  } catch {
    return null;
  }
}

/** Publishes our list of devices, readable for everyone. */
export function publishDeviceList(link: Asking, ids: readonly number[]): Promise<void> {
  const devices = ids.map((id) => x(NS.axolotl, 'device', { id: String(id) }));
  return publish(link, NS.deviceList, x(NS.axolotl, 'list', {}, ...devices));
}

/** Publishes our bundle, readable for everyone. */
export function publishBundle(link: Asking, bundle: Bundle): Promise<void> {
  return publish(link, `${NS.bundles}:${bundle.deviceId}`, buildBundle(bundle));
}

/** Whether two bundles offer the same keys, in whatever order. */
export function isSameBundle(a: Bundle, b: Bundle): boolean {
  return keysOf(a) === keysOf(b);
}

function keysOf(bundle: Bundle): string {
  const { deviceId, identityKey, signedPreKeyId, signedPreKey, preKeys } = bundle;
  const offered = preKeys.map(({ id, key }) => `${id} ${toBase64(key)}`).sort();
  return [deviceId, toBase64(identityKey), signedPreKeyId, toBase64(signedPreKey), ...offered].join('\n');
}

export function buildBundle(bundle: Bundle): XmlNode {
  const preKeys = bundle.preKeys.map((preKey) =>
    x(NS.axolotl, 'preKeyPublic', { preKeyId: String(preKey.id) }, toBase64(preKey.key)),
  );
  return x(
    NS.axolotl,
    'bundle',
    {},
    x(
      NS.axolotl,
      'signedPreKeyPublic',
      { signedPreKeyId: String(bundle.signedPreKeyId) },
      toBase64(bundle.signedPreKey),
    ),
    x(NS.axolotl, 'signedPreKeySignature', {}, toBase64(bundle.signedPreKeySignature)),
    x(NS.axolotl, 'identityKey', {}, toBase64(bundle.identityKey)),
    x(NS.axolotl, 'prekeys', {}, ...preKeys),
  );
}

async function fetchItem(link: Asking, jid: string, node: string): Promise<XmlNode | undefined> {
  try {
    const items = x(NS.pubsub, 'items', { node, max_items: '1' });
    const answer = await link.request('get', x(NS.pubsub, 'pubsub', {}, items), jid);
    return findAll(find(find(answer, NS.pubsub, 'pubsub'), NS.pubsub, 'items'), NS.pubsub, 'item').at(-1);
  } catch (error) {
    // XEP-0060 section 6.5.9: no such node. Whatever else is answered says nothing about what is kept there.
    if (error instanceof StanzaError && error.condition === 'item-not-found') {
      return undefined;
    }
    throw error;
  }
}

async function publish(link: Asking, node: string, payload: XmlNode): Promise<void> {
  const item = x(NS.pubsub, 'publish', { node }, x(NS.pubsub, 'item', { id: 'current' }, payload));
  const options = x(NS.pubsub, 'publish-options', {}, form(NS.publishOptions));
  try {
    await link.request('set', x(NS.pubsub, 'pubsub', {}, item, options));
  } catch (error) {
    if (!(error instanceof StanzaError && error.condition === 'conflict')) {
      throw error;
    }
    // XEP-0060 section 7.1.5: the node exists with other settings, so it is given ours first.
    const configure = x(`${NS.pubsub}#owner`, 'configure', { node }, form(`${NS.pubsub}#node_config`));
    await link.request('set', x(`${NS.pubsub}#owner`, 'pubsub', {}, configure));
    await link.request('set', x(NS.pubsub, 'pubsub', {}, item));
  }
}

function form(type: string): XmlNode {
  const field = (name: string, value: string, kind?: string) =>
    x(NS.dataForms, 'field', { var: name, type: kind }, x(NS.dataForms, 'value', {}, value));
  return x(
    NS.dataForms,
    'x',
    { type: 'submit' },
    field('FORM_TYPE', type, 'hidden'),
    field('pubsub#persist_items', 'true'),
    field('pubsub#access_model', 'open'),
  );
}

function keyIdOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : null;
}
