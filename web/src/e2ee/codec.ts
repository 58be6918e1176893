import { fromBase64, fromUtf8, type OwnedBytes, toBase64, toUtf8 } from './bytes';
import { StoreError } from './errors';

/*
 * Records as bytes: JSON, in which a byte string is an object with the one member `$bytes`, in base64. The same value
 * always gives the same bytes, so that two states can be compared byte for byte.
 */

const BYTES = '$bytes';

/** Encodes plain data: objects, arrays, strings, finite numbers, booleans, null and byte strings. */
export function encodeRecord(value: unknown): OwnedBytes {
  return toUtf8(
    JSON.stringify(value, (_key, member: unknown) =>
      member instanceof Uint8Array ? { [BYTES]: toBase64(member) } : member,
    ),
  );
}

/**
 * Reads what `encodeRecord` wrote.
 *
 * @throws StoreError `store-corrupt` for anything else.
 */
export function decodeRecord(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes), (_key, member: unknown) =>
      isTagged(member) ? fromBase64(member[BYTES]) : member,
    );
  } catch (error) {
    throw new StoreError('store-corrupt', 'record is not readable', { cause: error });
  }
}

function isTagged(member: unknown): member is { [BYTES]: string } {
  return typeof member === 'object' && member !== null && typeof (member as { [BYTES]?: unknown })[BYTES] === 'string';
}
