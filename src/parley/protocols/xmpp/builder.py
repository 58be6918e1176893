"""Safe output: XML as bytes from names, attributes and text.

Bytes are XML, strings are text: what a peer typed is a string and is escaped, so nothing gets in by mistake.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_XML

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

# XML 1.0 §2.2: everything but Char.
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_SPECIAL: Final = re.compile("[&<>\r]")
_ATTRIBUTE_SPECIAL: Final = re.compile('[&<>"\t\n\r]')
_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?")
# XML 1.0 §2.11 and §3.3.3: a reader turns raw line ends and tabs into other characters unless they are references.
_REFERENCES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}


def _reference(match: re.Match[str]) -> str:
    return _REFERENCES[match[0]]


def text(value: str) -> bytes:
    """`value` as character data; characters that XML 1.0 cannot carry are dropped."""
    if value.isascii() and value.isprintable() and not _TEXT_SPECIAL.search(value):
        return value.encode()
    return _TEXT_SPECIAL.sub(_reference, _ILLEGAL.sub("", value)).encode()


def attribute(value: str) -> bytes:
    """`value` for use between double quotes; characters that XML 1.0 cannot carry are dropped."""
    if value.isascii() and value.isprintable() and not _ATTRIBUTE_SPECIAL.search(value):
        return value.encode()
    return _ATTRIBUTE_SPECIAL.sub(_reference, _ILLEGAL.sub("", value)).encode()


def xml(name: str, attrs: Mapping[str, str | None] | None = None, *children: bytes | str) -> bytes:
    """One element.

    Args:
        name: the element's name, with its prefix if it has one.
        attrs: attributes and namespace declarations (`"xmlns"`) in order; those that are None are left out.
        children: bytes are XML, as made here or spliced from a parsed stanza; strings are text and get escaped.

    Raises:
        ValueError: a name is not an XML name.
    """
    parts = [b"<", _name(name)]
    if attrs:
        for key, value in attrs.items():
            if value is not None:
                parts += (b" ", _name(key), b'="', attribute(value), b'"')
    content = b"".join([text(child) if isinstance(child, str) else child for child in children])
    if content:
        parts += (b">", content, b"</", _name(name), b">")
    else:
        parts.append(b"/>")
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not an XML name: {name!r}")
    return name.encode()


def serialise(tree: _Element, *, default_namespace: str = NS_CLIENT) -> bytes:
    """A tree as bytes that stand where `default_namespace` is the default namespace.

    Elements never get a prefix, so the outer form of a stanza is canonical; prefixed attributes get prefixes of ours.
    Recursion is bounded by the depth of what the framer lets in.
    """
    opening, content, closing = serialise_parts(tree, default_namespace=default_namespace)
    return opening + b"".join(content) + closing


def serialise_parts(tree: _Element, *, default_namespace: str = NS_CLIENT) -> tuple[bytes, list[bytes], bytes]:
    """As `serialise`, in pieces: the opening tag, then text and children in turn (text first), then the end tag."""
    namespace, local = split_tag(str(tree.tag))
    parts = ["<", local]
    if namespace != default_namespace:
        parts.append(f' xmlns="{attribute(namespace).decode()}"')
    for number, (key, value) in enumerate(tree.attrib.items()):
        attribute_namespace, name = split_tag(str(key))
        if attribute_namespace == NS_XML:
            name = f"xml:{name}"
        elif attribute_namespace:
            parts.append(f' xmlns:a{number}="{attribute(attribute_namespace).decode()}"')
            name = f"a{number}:{name}"
        parts.append(f' {name}="{attribute(str(value)).decode()}"')
    content = [text(tree.text or "")]
    for child in tree:
        content += (serialise(child, default_namespace=namespace), text(child.tail or ""))
    if not any(content):
        return "".join((*parts, "/>")).encode(), [], b""
    return "".join((*parts, ">")).encode(), content, f"</{local}>".encode()


def split_tag(tag: str) -> tuple[str, str]:
    """The namespace ("" for none) and the local name of a name in `{namespace}local` form."""
    if tag.startswith("{"):
        namespace, _, local = tag[1:].rpartition("}")
        return namespace, local
    return "", tag
