/**
 * Immutable XML trees without a document. Everything but the transport works on these, so that it needs no DOM.
 */

export interface XmlNode {
  readonly ns: string;
  /** Local name; the few prefixed attributes that XMPP has keep their prefix, elements never have one. */
  readonly name: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly children: readonly (XmlNode | string)[];
}

export type XmlChild = XmlNode | string | null | undefined | false;

/**
 * Builds an element.
 *
 * @param attrs Attributes; those that are undefined are left out.
 * @param children Elements and text; null, undefined and false are left out.
 */
export function x(
  ns: string,
  name: string,
  attrs: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly XmlChild[]
): XmlNode {
  const present: Record<string, string> = {};
  for (const [key, value] of Object.entries(attrs)) {
    if (value !== undefined) {
      present[key] = value;
    }
  }
  return { ns, name, attrs: present, children: children.filter(isPresent) };
}

/** Writes an element; `xmlns` appears where the namespace differs from the parent's. */
export function serialize(node: XmlNode, parentNs = ''): string {
  let text = `<${node.name}`;
  if (node.ns !== parentNs) {
    text += ` xmlns="${escapeXml(node.ns)}"`;
  }
  for (const [key, value] of Object.entries(node.attrs)) {
    text += ` ${key}="${escapeXml(value)}"`;
  }
  if (node.children.length === 0) {
    return `${text}/>`;
  }
  const inner = node.children.map((child) =>
    typeof child === 'string' ? escapeXml(child) : serialize(child, node.ns),
  );
  return `${text}>${inner.join('')}</${node.name}>`;
}

/** Copies a DOM element. */
export function fromElement(element: Element): XmlNode {
  const attrs: Record<string, string> = {};
  for (const attribute of Array.from(element.attributes)) {
    if (attribute.name !== 'xmlns' && !attribute.name.startsWith('xmlns:')) {
      attrs[attribute.name] = attribute.value;
    }
  }
  const children: (XmlNode | string)[] = [];
  for (const child of Array.from(element.childNodes)) {
    if (child.nodeType === 1) {
      children.push(fromElement(child as Element));
    } else if (child.nodeType === 3 || child.nodeType === 4) {
      children.push(child.nodeValue ?? '');
    }
  }
  return { ns: element.namespaceURI ?? '', name: element.localName, attrs, children };
}

/** The first child element of this name and namespace. */
export function find(node: XmlNode | undefined, ns: string, name: string): XmlNode | undefined {
  return elements(node).find((child) => child.name === name && child.ns === ns);
}

/** All child elements of this name and namespace. */
export function findAll(node: XmlNode | undefined, ns: string, name: string): XmlNode[] {
  return elements(node).filter((child) => child.name === name && child.ns === ns);
}

/** All child elements. */
export function elements(node: XmlNode | undefined): XmlNode[] {
  return (node?.children ?? []).filter((child): child is XmlNode => typeof child !== 'string');
}

/** The text directly inside an element. */
export function textOf(node: XmlNode | undefined): string {
  return (node?.children ?? []).filter((child) => typeof child === 'string').join('');
}

/**
 * Escapes text and attribute values. Characters that XML 1.0 cannot carry become U+FFFD: one of them would end the
 * stream (RFC 6120 section 11.4).
 */
export function escapeXml(text: string): string {
  return text
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(FORBIDDEN, '\uFFFD')
    .replace(/[&<>"'\r]/g, (character) => ESCAPES[character] ?? character);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 section 2.2 leaves out
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
};

function isPresent(child: XmlChild): child is XmlNode | string {
  return child !== null && child !== undefined && child !== false && child !== '';
}
