import { concat, type OwnedBytes } from './bytes';
import { WireError } from './errors';

/*
 * As much of the protocol buffers wire format as OMEMO's messages need: unsigned 32-bit varints and byte strings.
 * Unknown fields are skipped, a repeated field's last occurrence counts, and every length is checked against what is
 * really there.
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const MAX_VARINT_BYTES = 10;
const MAX_UINT32 = 0xffff_ffff;

/** What a message's fields are: `uint32` or `bytes` by field number. */
export type Schema = Readonly<Record<number, 'uint32' | 'bytes'>>;

/** A decoded message; only fields of the schema that were present. */
export class Fields {
  constructor(private readonly values: ReadonlyMap<number, number | Uint8Array>) {}

  /** An optional number. */
  uint32OrNull(field: number): number | null {
    const value = this.values.get(field);
    return typeof value === 'number' ? value : null;
  }

  /** A required number. @throws WireError `malformed-message` if it is missing. */
  uint32(field: number): number {
    return this.uint32OrNull(field) ?? missing(field);
  }

  /** A required byte string. @throws WireError `malformed-message` if it is missing. */
  bytes(field: number): Uint8Array {
    const value = this.values.get(field);
    return value instanceof Uint8Array ? value : missing(field);
  }
}

/** Encodes fields in the order given; callers give them in ascending order, as all other encoders do. */
export function encode(fields: readonly (readonly [number, number | Uint8Array])[]): OwnedBytes {
  const parts: Uint8Array[] = [];
  for (const [field, value] of fields) {
    if (typeof value === 'number') {
      parts.push(varint(field * 8 + VARINT), varint(value));
    } else {
      parts.push(varint(field * 8 + BYTES), varint(value.length), value);
    }
  }
  return concat(...parts);
}

/**
 * Decodes a message.
 *
 * @param bytes The whole message.
 * @param schema Field numbers that are kept; a known field of another wire type is an error.
 * @throws WireError `malformed-message` for truncated, overlong or mistyped input.
 */
export function decode(bytes: Uint8Array, schema: Schema): Fields {
  const reader = new Reader(bytes);
  const values = new Map<number, number | Uint8Array>();
  while (!reader.isAtEnd()) {
    const key = reader.uint32();
    const field = Math.floor(key / 8);
    const type = key % 8;
    if (field === 0) {
      throw new WireError('malformed-message', 'field number zero');
    }
    const expected = schema[field];
    if (expected === undefined) {
      reader.skip(type);
    } else if (expected === 'uint32' && type === VARINT) {
      values.set(field, reader.uint32());
    } else if (expected === 'bytes' && type === BYTES) {
      values.set(field, reader.take(reader.uint32()));
    } else {
      throw new WireError('malformed-message', `field ${field} has wire type ${type}`);
    }
  }
  return new Fields(values);
}

class Reader {
  private offset = 0;

  constructor(private readonly bytes: Uint8Array) {}

  isAtEnd(): boolean {
    return this.offset === this.bytes.length;
  }

  uint32(): number {
    const value = this.varint();
    if (value > BigInt(MAX_UINT32)) {
      throw new WireError('malformed-message', 'number needs more than 32 bits');
    }
    return Number(value);
  }

  take(size: number): Uint8Array {
    if (size > this.bytes.length - this.offset) {
      throw new WireError('malformed-message', 'field is longer than the message');
    }
    const taken = this.bytes.slice(this.offset, this.offset + size);
    this.offset += size;
    return taken;
  }

  skip(type: number): void {
    if (type === VARINT) {
      this.varint();
    } else if (type === FIXED64) {
      this.take(8);
    } else if (type === BYTES) {
      this.take(this.uint32());
    } else if (type === FIXED32) {
      this.take(4);
    } else {
      throw new WireError('malformed-message', `wire type ${type}`);
    }
  }

  private varint(): bigint {
    let value = 0n;
    for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
      const byte = this.bytes[this.offset];
      if (byte === undefined) {
        throw new WireError('malformed-message', 'number is cut off');
      }
      this.offset += 1;
      value |= BigInt(byte & 0x7f) << BigInt(index * 7);
      if (byte < 0x80) {
        return value;
      }
    }
    throw new WireError('malformed-message', 'number is too long');
  }
}

function varint(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > MAX_UINT32) {
    throw new RangeError(`not an unsigned 32-bit number: ${value}`);
  }
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function missing(field: number): never {
  throw new WireError('malformed-message', `field ${field} is missing`);
}
