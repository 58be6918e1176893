/**
 * What a server takes in one piece. A server does not say what its limit is; ours, and those of the other common
 * servers, take 256 KiB and more. Whatever is larger ends the stream (RFC 6120 section 4.9.3.14).
 */

/** Largest stanza (bytes of UTF-8) that is sent: some room is left for what the server adds on the way. */
export const STANZA_LIMIT_BYTES = 240 * 1024;

/** Largest text (bytes of UTF-8): sealed it grows by a third, and the keys for every device stand beside it. */
export const TEXT_LIMIT_BYTES = 144 * 1024;

export function isTooLarge(text: string, limitBytes = STANZA_LIMIT_BYTES): boolean {
  // UTF-8 has at least one byte for a unit of a string, and at most three.
  return (
    text.length > limitBytes || (text.length * 3 > limitBytes && new TextEncoder().encode(text).length > limitBytes)
  );
}
