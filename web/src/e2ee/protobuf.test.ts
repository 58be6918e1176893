import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from './bytes';
import { WireError } from './errors';
import type { FormatSpec } from './format';
import { LEGACY } from './legacy';
import { OMEMO2 } from './omemo2';
import { decode, encode, type Schema } from './protobuf';

const SCHEMA: Schema = { 1: 'uint32', 2: 'bytes', 300: 'uint32' };
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

test('fields survive a round trip, in any order and with unknown ones between', () => {
  fc.assert(
    fc.property(uint32, fc.uint8Array({ maxLength: 300 }), uint32, fc.boolean(), (a, bytes, b, isReversed) => {
      const fields: [number, number | Uint8Array][] = [
        [1, a],
        [2, bytes],
        [7, 99],
        [8, Uint8Array.of(1, 2)],
        [300, b],
      ];
      const decoded = decode(encode(isReversed ? fields.reverse() : fields), SCHEMA);
      expect(decoded.uint32(1)).toBe(a);
      expect(decoded.bytes(2)).toEqual(bytes);
      expect(decoded.uint32(300)).toBe(b);
    }),
  );
});

test('numbers are encoded as the protocol buffers documentation shows', () => {
  expect(toHex(encode([[1, 150]]))).toBe('089601');
  expect(toHex(encode([[2, Uint8Array.of(0x74)]]))).toBe('120174');
});

test.each([
  ['a number that is cut off', '0896'],
  ['a number of 33 bits', '08ffffffff1f'],
  ['an endless number', `08${'ff'.repeat(11)}`],
  ['a byte string that is cut off', '120574'],
  ['a length of four gigabytes', '12ffffffff0f'],
  ['a number where bytes belong', '1001'],
  ['bytes where a number belongs', '0a0101'],
  ['field number zero', '0001'],
  ['a group', '3b'],
  ['an unknown fixed field that is cut off', '3900'],
])('refuses %s', (_name, hex) => {
  expect(() => decode(fromHex(hex), SCHEMA)).toThrow(expect.objectContaining({ code: 'malformed-message' }));
});

test('skips unknown fields of every type', () => {
  const decoded = decode(fromHex('38013900000000000000003a01003d000000000805'), SCHEMA);
  expect(decoded.uint32(1)).toBe(5);
});

test('the last of repeated fields counts, and a missing one is an error', () => {
  expect(decode(fromHex('08010802'), SCHEMA).uint32(1)).toBe(2);
  expect(() => decode(fromHex('0801'), SCHEMA).bytes(2)).toThrow(
    expect.objectContaining({ code: 'malformed-message' }),
  );
});

describe.each([LEGACY, OMEMO2])('$format', (spec: FormatSpec) => {
  test('messages survive a round trip', () => {
    fc.assert(
      fc.property(key, uint32, uint32, fc.uint8Array({ maxLength: 100 }), (ratchetKey, index, previous, ciphertext) => {
        const mac = new Uint8Array(spec.macBytes).fill(7);
        const parsed = spec.parseMessage(spec.buildMessage({ ratchetKey, index, previous }, ciphertext, () => mac));
        const announced = spec.format === 'legacy' ? Math.max(previous, 1) : previous;
        expect(parsed.header).toEqual({ ratchetKey, index, previous: announced });
        expect(parsed.ciphertext).toEqual(ciphertext);
        expect(parsed.mac).toEqual(mac);
      }),
    );
  });

  test('key exchanges survive a round trip', () => {
    fc.assert(
      fc.property(
        uint32,
        uint32,
        key,
        fc.uint8Array({ maxLength: 50 }),
        (preKeyId, signedPreKeyId, baseKey, message) => {
          const exchange = { preKeyId, signedPreKeyId, baseKey, identityKey: spec.encodeKey(baseKey) };
          expect(spec.parseKeyExchange(spec.buildKeyExchange(exchange, 77, message))).toEqual({ exchange, message });
        },
      ),
    );
  });

  test('random and mutilated bytes give documented errors only', () => {
    const message = spec.buildMessage(
      { ratchetKey: new Uint8Array(32).fill(9), index: 3, previous: 2 },
      new Uint8Array(48),
      () => new Uint8Array(spec.macBytes),
    );
    const exchange = spec.buildKeyExchange(
      { preKeyId: 1, signedPreKeyId: 2, baseKey: new Uint8Array(32), identityKey: new Uint8Array(33) },
      5,
      message,
    );
    const mutilated = fc
      .tuple(fc.constantFrom(message, exchange), fc.nat(), fc.nat(255), fc.nat())
      .map(([bytes, at, value, size]) => {
        const changed = Uint8Array.from(bytes);
        changed[at % changed.length] = value;
        return changed.slice(0, size % (changed.length + 1));
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), mutilated), (bytes) => {
        for (const parse of [spec.parseMessage, spec.parseKeyExchange]) {
          try {
            parse(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('payloads open with their material only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (plaintext) => {
        const { material, iv, payload } = spec.sealPayload(plaintext);
        expect(spec.openPayload(material, iv, payload as Uint8Array)).toEqual(plaintext);
        const changed = Uint8Array.from(material);
        changed[0] = (changed[0] as number) ^ 1;
        expect(() => spec.openPayload(changed, iv, payload as Uint8Array)).toThrow(
          expect.objectContaining({ code: 'payload-corrupt' }),
        );
        expect(() => spec.openPayload(material.slice(1), iv, payload as Uint8Array)).toThrow(
          expect.objectContaining({ code: 'payload-corrupt' }),
        );
      }),
      { numRuns: 50 },
    );
  });
});

test('legacy: an unsupported version, a wrong key type and a missing MAC are told apart', () => {
  expect(() => LEGACY.parseMessage(fromHex('2200'))).toThrow(expect.objectContaining({ code: 'unsupported-version' }));
  expect(() => LEGACY.parseMessage(fromHex('33'))).toThrow(expect.objectContaining({ code: 'malformed-message' }));
  expect(() => LEGACY.decodeKey(new Uint8Array(33).fill(6))).toThrow(
    expect.objectContaining({ code: 'malformed-message' }),
  );
});

test('legacy: reads -1 as an empty previous chain', () => {
  const message = LEGACY.buildMessage(
    { ratchetKey: new Uint8Array(32), index: 0, previous: 0x1_0000_0000 },
    new Uint8Array(16),
    () => new Uint8Array(8),
  );
  expect(LEGACY.parseMessage(message).header.previous).toBe(0);
});

test('legacy: opens the payload of old clients, which carries its tag itself', () => {
  const { material, iv, payload } = LEGACY.sealPayload(Uint8Array.of(1, 2, 3));
  const old = Uint8Array.from([...(payload as Uint8Array), ...material.slice(16)]);
  expect(LEGACY.openPayload(material.slice(0, 16), iv, old)).toEqual(Uint8Array.of(1, 2, 3));
});
