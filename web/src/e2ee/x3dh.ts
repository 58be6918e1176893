import { concat } from './bytes';
import { agree, hkdf, type KeyPair } from './primitives';

/*
 * X3DH (Signal, "The X3DH Key Agreement Protocol", revision 1, section 3.3), always with a one-time prekey: a bundle
 * without one is refused before it comes here.
 */

const SECRET_BYTES = 32;
// Section 2.2: 32 bytes 0xFF in front of the secrets, for curve25519.
const PADDING = new Uint8Array(32).fill(0xff);

/**
 * The secret as the initiator computes it.
 *
 * @param info HKDF info of the format.
 * @param identityPriv Our Curve25519 identity private key.
 * @param base Our ephemeral key pair.
 * @param remote The responder's public keys, Curve25519.
 * @returns 32 bytes.
 * @throws WireError `weak-key` if any agreement gives an all-zero secret.
 */
export function secretOfInitiator(
  info: string,
  identityPriv: Uint8Array,
  base: KeyPair,
  remote: { identity: Uint8Array; signedPreKey: Uint8Array; preKey: Uint8Array },
): Uint8Array {
  return derive(
    info,
    agree(identityPriv, remote.signedPreKey),
    agree(base.priv, remote.identity),
    agree(base.priv, remote.signedPreKey),
    agree(base.priv, remote.preKey),
  );
}

/**
 * The secret as the responder computes it.
 *
 * @param remote The initiator's identity and ephemeral public keys, Curve25519.
 * @returns 32 bytes.
 * @throws WireError `weak-key` if any agreement gives an all-zero secret.
 */
export function secretOfResponder(
  info: string,
  own: { identityPriv: Uint8Array; signedPreKeyPriv: Uint8Array; preKeyPriv: Uint8Array },
  remote: { identity: Uint8Array; baseKey: Uint8Array },
): Uint8Array {
  return derive(
    info,
    agree(own.signedPreKeyPriv, remote.identity),
    agree(own.identityPriv, remote.baseKey),
    agree(own.signedPreKeyPriv, remote.baseKey),
    agree(own.preKeyPriv, remote.baseKey),
  );
}

function derive(info: string, ...secrets: Uint8Array[]): Uint8Array {
  return hkdf(concat(PADDING, ...secrets), new Uint8Array(0), info, SECRET_BYTES);
}
