/** A hue (0 to 359 degrees) that stays with an address: FNV-1a over its characters. */
export function hueOf(jid: string): number {
  let hash = 0x811c9dc5;
  for (const character of jid) {
    hash ^= character.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193);
  }
  // Neighbouring hues look alike: 24 steps of 15 degrees keep people apart.
  return ((hash >>> 0) % 24) * 15;
}

/** One or two characters that stand for a name: first letters of the first and last word. */
export function initialsOf(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter(Boolean);
  const first = words[0];
  if (first === undefined) return '?';
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  const letters = last === undefined ? [...first].slice(0, 2) : [[...first][0], [...last][0]];
  return letters.join('').toLocaleUpperCase();
}

/** The part of an address before the "@", or all of it when there is none. */
export function localPartOf(jid: string): string {
  const at = jid.indexOf('@');
  return at > 0 ? jid.slice(0, at) : jid;
}

/** First word of a name, for sentences about a person. */
export function shortNameOf(name: string): string {
  return name.trim().split(/\s+/u)[0] || name;
}
