/** Installations that are signed in to the account (`urn:parley:devices:0`). */
import type { SignedInDevice } from '../model';
import type { Verifier } from './auth';
import type { Link } from './link';
import { NS } from './ns';
import { timeOf } from './stanzas';
import { find, findAll, type XmlNode, x } from './xml';

/** Gives this installation a credential of its own; the server learns what checks the secret, not the secret. */
export async function registerDevice(link: Link, resource: string, name: string, verifier: Verifier): Promise<void> {
  await link.request(
    'set',
    x(NS.devices, 'credential', {
      resource,
      name,
      mechanism: verifier.mechanism,
      salt: verifier.salt,
      iterations: String(verifier.iterations),
      'stored-key': verifier.storedKey,
      'server-key': verifier.serverKey,
    }),
  );
}

export async function revokeDevice(link: Link, resource: string): Promise<void> {
  await link.request('set', x(NS.devices, 'revoke', { resource }));
}

/** All credentials become void, and all streams but this one end. */
export async function revokeAllDevices(link: Link): Promise<void> {
  await link.request('set', x(NS.devices, 'revoke-all'));
}

export async function listDevices(link: Link, ownResource: string): Promise<SignedInDevice[]> {
  const answer = await link.request('get', x(NS.devices, 'devices'));
  return findAll(find(answer, NS.devices, 'devices'), NS.devices, 'device').flatMap((device) =>
    parseDevice(device, ownResource),
  );
}

/** Reads one entry of the list; one without a resource is left out. */
export function parseDevice(device: XmlNode, ownResource: string): SignedInDevice[] {
  const { resource, name, 'last-seen': lastSeen, online } = device.attrs;
  if (!resource) {
    return [];
  }
  return [
    {
      resource,
      name: name || resource,
      lastSeen: timeOf(lastSeen) ?? 0,
      isOnline: online === 'true',
      isThisDevice: resource === ownResource,
    },
  ];
}
