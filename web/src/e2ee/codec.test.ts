import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toUtf8 } from './bytes';
import { decodeRecord, encodeRecord } from './codec';

test('plain data and byte strings survive a round trip', () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (record) => {
      expect(decodeRecord(encodeRecord(record))).toEqual(record);
    }),
  );
});

test.each(['', '{', '{"$bytes":"*"}'])('refuses %j', (text) => {
  expect(() => decodeRecord(toUtf8(text))).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
});
