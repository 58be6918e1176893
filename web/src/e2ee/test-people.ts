import { toUtf8 } from './bytes';
import { OmemoDevice, type OpenOptions } from './device';
import { LocalLocks } from './locks';
import { MemoryStore } from './memory-store';
import type { Address, Decrypted, Encrypted, Format } from './types';

/** A device in a test, with its store and a clock that the test turns. */
export interface Person {
  readonly device: OmemoDevice;
  readonly store: MemoryStore;
  readonly address: Address;
  readonly clock: { nowMs: number };
  /** Formats whose bundle was reported as changed. */
  readonly changed: Format[];
}

/** Opens a device on a fresh store, or on one that is given. */
export async function person(
  jid: string,
  options: OpenOptions = {},
  store = new MemoryStore(),
  clock = { nowMs: 1_700_000_000_000 },
): Promise<Person> {
  const changed: Format[] = [];
  const device = await OmemoDevice.open(store, jid, {
    locks: new LocalLocks(),
    now: () => clock.nowMs,
    onBundleChanged: (format) => changed.push(format),
    ...options,
  });
  return { device, store, address: { jid: device.jid, deviceId: device.deviceId }, clock, changed };
}

/** Begins a session from one person's device to another's. */
export async function connect(from: Person, to: Person, format: Format): Promise<void> {
  await from.device.startSession(to.address, await to.device.bundle(format), format);
}

/** Encrypts a text, or an empty message, to some devices. */
export function say(from: Person, text: string | null, to: readonly Person[], format: Format): Promise<Encrypted> {
  return from.device.encrypt(
    text === null ? null : toUtf8(text),
    to.map((each) => each.address),
    format,
  );
}

/** Decrypts a message as the person whose key is in it. */
export function hear(to: Person, from: Person, message: Encrypted): Promise<Decrypted> {
  const key = message.keys.find((each) => each.jid === to.address.jid && each.deviceId === to.address.deviceId);
  if (key === undefined) {
    throw new Error('the message is not for this device');
  }
  return to.device.decrypt(from.address, key, message.iv, message.payload, message.format);
}

/** The text of a decrypted message, null of an empty one. */
export function textOf(decrypted: Decrypted): string | null {
  return decrypted.plaintext === null ? null : new TextDecoder().decode(decrypted.plaintext);
}
