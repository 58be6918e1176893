import { describe, expect, test } from 'vitest';
import { fromBase64, fromHex, isEqual, isZero, toBase64, toHex } from './bytes';
import { agree, gcmDecrypt, gcmEncrypt, generateKeyPair, hkdf, keyPairOf } from './primitives';

/** The public keys that make every shared secret zero (RFC 7748 section 6.1), and non-canonical forms of them. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

describe('X25519', () => {
  test('both sides agree', () => {
    const alice = generateKeyPair();
    const bob = generateKeyPair();
    expect(agree(alice.priv, bob.pub)).toEqual(agree(bob.priv, alice.pub));
    expect(keyPairOf(alice.priv).pub).toEqual(alice.pub);
  });

  test('gives the first scalar multiplication of RFC 7748 section 5.2', () => {
    const scalar = fromHex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = fromHex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    expect(toHex(agree(scalar, point))).toBe('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
  });

  test.each(LOW_ORDER)('refuses the public key %s', (hex) => {
    expect(() => agree(generateKeyPair().priv, fromHex(hex))).toThrow(expect.objectContaining({ code: 'weak-key' }));
  });

  test.each([0, 31, 33])('refuses a public key of %i bytes', (size) => {
    expect(() => agree(generateKeyPair().priv, new Uint8Array(size).fill(9))).toThrow(
      expect.objectContaining({ code: 'weak-key' }),
    );
  });
});

test('HKDF gives test case 3 of RFC 5869', () => {
  const derived = hkdf(new Uint8Array(22).fill(0x0b), new Uint8Array(0), '', 42);
  expect(toHex(derived)).toBe('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8');
});

test('AES-GCM refuses a changed ciphertext', () => {
  const key = new Uint8Array(16).fill(1);
  const iv = new Uint8Array(12).fill(2);
  const sealed = gcmEncrypt(key, iv, Uint8Array.of(1, 2, 3));
  expect(gcmDecrypt(key, iv, sealed)).toEqual(Uint8Array.of(1, 2, 3));
  sealed[0] = (sealed[0] as number) ^ 1;
  expect(() => gcmDecrypt(key, iv, sealed)).toThrow(expect.objectContaining({ code: 'payload-corrupt' }));
});

test('byte helpers', () => {
  expect(isEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(isEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(isEqual(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
  expect(isZero(new Uint8Array(4))).toBe(true);
  expect(isZero(Uint8Array.of(0, 0, 1))).toBe(false);
  const long = new Uint8Array(100_000).map((_, index) => index % 251);
  expect(fromBase64(toBase64(long))).toEqual(long);
  expect(fromBase64(' AQ\n ID ')).toEqual(Uint8Array.of(1, 2, 3));
  expect(() => fromBase64('A*B=')).toThrow(expect.objectContaining({ code: 'malformed-message' }));
  expect(() => fromHex('abc')).toThrow(expect.objectContaining({ code: 'malformed-message' }));
});
