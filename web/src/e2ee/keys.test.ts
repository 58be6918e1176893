import { expect, test } from 'vitest';
import {
  bundleOf,
  createKeyRing,
  findPreKey,
  findSignedPreKey,
  forgetUsedPreKeys,
  identityOf,
  MAX_USED_PREKEYS,
  maintain,
  PREKEY_COUNT,
  SIGNED_PREKEY_GRACE_MS,
  SIGNED_PREKEY_ROTATION_MS,
  USED_PREKEY_GRACE_MS,
  usePreKey,
} from './keys';
import { LEGACY } from './legacy';
import { OMEMO2 } from './omemo2';
import { generateKeyPair } from './primitives';

const NOW = 1_700_000_000_000;
const IDENTITY = identityOf(generateKeyPair());
const RING = createKeyRing(LEGACY, IDENTITY, NOW);

test.each([LEGACY, OMEMO2])('a fresh $format bundle is signed and complete', (spec) => {
  const bundle = bundleOf(spec, IDENTITY, 7, createKeyRing(spec, IDENTITY, NOW));
  expect(spec.isSignatureValid(bundle)).toBe(true);
  expect(new Set(bundle.preKeys.map(({ id }) => id)).size).toBe(PREKEY_COUNT);
  expect(spec.decodeIdentity(bundle.identityKey)).toEqual(IDENTITY.curve);
});

test('a used prekey is replaced by one with an id that was never used', () => {
  const after = usePreKey(RING, 3, false, NOW);
  expect(findPreKey(after, 3)).toBeUndefined();
  expect(after.preKeys).toHaveLength(PREKEY_COUNT);
  expect(findPreKey(after, PREKEY_COUNT + 1)).toBeDefined();
  expect(after.revision).toBe(RING.revision + 1);
  expect(usePreKey(after, 3, false, NOW)).toBe(after);
});

test('ids start again at 1 after 2^24 - 2, and skip those in use', () => {
  const late = { ...RING, nextPreKeyId: 0xff_fffe };
  const after = usePreKey(usePreKey(late, 5, false, NOW), 6, false, NOW);
  const ids = after.preKeys.map(({ id }) => id);
  expect(ids).toContain(0xff_fffe);
  expect(ids).toContain(5);
  expect(new Set(ids).size).toBe(PREKEY_COUNT);
});

test('kept prekeys have a bound and an end', () => {
  let ring = RING;
  for (let count = 0; count < 5; count += 1) {
    ring = usePreKey(ring, ring.preKeys.find(({ usedMs }) => usedMs === null)?.id ?? 0, true, NOW + count);
  }
  expect(ring.preKeys).toHaveLength(PREKEY_COUNT + 5);
  expect(forgetUsedPreKeys(ring, NOW + 2).preKeys).toHaveLength(PREKEY_COUNT + 2);
  const crowded = {
    ...ring,
    preKeys: [
      ...ring.preKeys,
      ...Array.from({ length: MAX_USED_PREKEYS }, (_, index) => ({
        id: 5000 + index,
        pair: generateKeyPair(),
        usedMs: NOW,
      })),
    ],
  };
  const used = usePreKey(crowded, RING.preKeys[50]?.id ?? 0, true, NOW).preKeys.filter(({ usedMs }) => usedMs !== null);
  expect(used).toHaveLength(MAX_USED_PREKEYS);
  expect(maintain(LEGACY, IDENTITY, ring, NOW + USED_PREKEY_GRACE_MS + 10).preKeys).toHaveLength(PREKEY_COUNT);
});

test('the signed prekey rotates when it is due, and grace ends', () => {
  expect(maintain(LEGACY, IDENTITY, RING, NOW + SIGNED_PREKEY_ROTATION_MS - 1)).toBe(RING);
  const dueMs = NOW + SIGNED_PREKEY_ROTATION_MS;
  const rotated = maintain(LEGACY, IDENTITY, RING, dueMs);
  expect(rotated.signedPreKeys.map(({ id }) => id)).toEqual([2, 1]);
  expect(rotated.revision).toBe(RING.revision + 1);
  expect(findSignedPreKey(rotated, 1, dueMs + SIGNED_PREKEY_GRACE_MS)).toBeDefined();
  expect(findSignedPreKey(rotated, 1, dueMs + SIGNED_PREKEY_GRACE_MS + 1)).toBeUndefined();
  expect(findSignedPreKey(rotated, 2, dueMs + SIGNED_PREKEY_GRACE_MS + 1)).toBeDefined();
  const later = maintain(LEGACY, IDENTITY, rotated, dueMs + SIGNED_PREKEY_GRACE_MS + 1);
  expect(later.signedPreKeys.map(({ id }) => id)).toEqual([3, 2]);
});
