/** Installations that are signed in to the account (`urn:parley:devices:0`). */
import { toUtf8 } from '../e2ee/bytes';
import type { SignedInDevice } from '../model';
import type { Verifier } from './auth';
import { StanzaError } from './errors';
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

/** Voids the credentials of all other installations and ends their streams; what was gone already is no error. */
export async function revokeOtherDevices(link: Link, ownResource: string): Promise<void> {
  const others = (await listDevices(link, ownResource)).filter((device) => !device.isThisDevice);
  await Promise.all(
    others.map(async ({ resource }) => {
      try {
        await revokeDevice(link, resource);
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === 'item-not-found')) {
          throw error;
        }
      }
    }),
  );
}

/** All credentials become void, and all streams but this one end. */
export async function revokeAllDevices(link: Link): Promise<void> {
  await link.request('set', x(NS.devices, 'revoke-all'));
}

export async function listDevices(link: Pick<Link, 'request'>, ownResource: string): Promise<SignedInDevice[]> {
  const answer = await link.request('get', x(NS.devices, 'devices'));
  return findAll(find(answer, NS.devices, 'devices'), NS.devices, 'device').flatMap((device) =>
    parseDevice(device, ownResource),
  );
}

/**
 * The OMEMO device id of an installation, 1 to 2^31 - 1. It follows from the resource, which is random and lasts as
 * long as the installation's keys: so whoever signs an installation out knows which device goes with it.
 */
export async function omemoDeviceIdOf(resource: string): Promise<number> {
  const digest = await crypto.subtle.digest('SHA-256', toUtf8(`OMEMO device of ${resource}`));
  return new DataView(digest).getUint32(0) & 0x7fff_ffff || 1;
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
