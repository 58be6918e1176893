export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string };

const address = /\bhttps?:\/\/[^\s<>"“”]+/giu;
/** What ends a sentence rather than an address; a closing bracket only when none was opened. */
const trailing = /[.,;:!?'’)\]]+$/u;

/** A text with its web addresses set apart. Nothing else in a message is ever treated as markup. */
export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let last = 0;
  for (const match of text.matchAll(address)) {
    const href = trimmed(match[0]);
    if (!URL.canParse(href)) continue;
    if (match.index > last) pieces.push({ kind: 'text', text: text.slice(last, match.index) });
    pieces.push({ kind: 'link', text: href, href });
    last = match.index + href.length;
  }
  if (last < text.length) pieces.push({ kind: 'text', text: text.slice(last) });
  return pieces;
}

function trimmed(found: string): string {
  const tail = trailing.exec(found)?.[0] ?? '';
  const opened = (found.match(/[([]/gu) ?? []).length;
  const kept = opened > 0 ? (/^[)\]]+/u.exec(tail)?.[0].slice(0, opened) ?? '') : '';
  return found.slice(0, found.length - tail.length) + kept;
}
