"""Elements as the peer sent them: names and offsets up front, bytes kept, a tree only for who asks.

A routed stanza is never rebuilt. `restamp` writes a new opening tag and takes the rest of the bytes over; what the
server adds goes in by `insert_children`. The canonical outer form of a stanza, which these functions take and give,
starts with `<message`, `<presence` or `<iq`, has no `xmlns` of its own (jabber:client is the default namespace of every
client's stream) and declares every other prefix it uses; `to_frame` turns it into a WebSocket frame (RFC 7395).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from lxml import etree

from parley.protocols.xmpp.builder import attribute, serialise_parts, split_tag, text, xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_SERVER, XML_LANG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

__all__ = [
    "Child",
    "Element",
    "declare_prefixes",
    "from_server",
    "insert_children",
    "opening_tag_end",
    "restamp",
    "text",
    "to_frame",
    "to_server",
    "xml",
]

# These two expressions are only ever run over tags that expat has already found well-formed.
_OPENING_TAG: Final = re.compile(rb"""<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>""")
_RAW_ATTRIBUTE: Final = re.compile(rb"""\s([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_STANZA_START: Final = re.compile(rb"<(?:message|presence|iq)(?=[\s/>])")
_ELEMENT_NAME: Final = re.compile(rb"<([^\s/>]+)")

_CONTENT: Final = b' xmlns="jabber:client"'
_SERVER_CONTENT: Final = b' xmlns="jabber:server"'
_SERVER: Final = NS_SERVER.encode()
_CLIENT: Final = NS_CLIENT.encode()
_STAMPS: Final = {"to": b"to", "from_": b"from", "id": b"id", "type": b"type", "lang": b"xml:lang"}


class Child(NamedTuple):
    """A direct child of an element: its name and where its bytes are in the element's `raw`."""

    namespace: str
    name: str
    start: int
    end: int


class Element:
    """One complete top-level element of a stream; not to be changed.

    Attributes:
        namespace: namespace name, "" for none.
        name: local name.
        attrs: attributes; those with a prefix are named `{namespace}local`.
        raw: the element's bytes. Every prefix in them is declared in them; the default namespace, where not declared,
            is jabber:client.
        body_start: offset in `raw` just after the opening tag; the length of `raw` when the element is self-closed.
        children: its direct children, in order.
    """

    __slots__ = ("_tree", "attrs", "body_start", "children", "name", "namespace", "raw")

    def __init__(  # noqa: PLR0917 - built for every stanza; keywords would cost more than the rest
        self,
        namespace: str,
        name: str,
        attrs: Mapping[str, str],
        raw: bytes,
        body_start: int,
        children: tuple[Child, ...],
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.attrs = attrs
        self.raw = raw
        self.body_start = body_start
        self.children = children
        self._tree: _Element | None = None

    @classmethod
    def from_bytes(cls, data: bytes, surroundings: bytes = _CONTENT) -> Element:
        """The element that `data` holds, brought into canonical outer form; for what was stored, built or unspliceable.

        Args:
            data: the bytes of one element.
            surroundings: the namespace declarations it stands in, as attributes with a space before each.

        Raises:
            PayloadError: `data` is not one well-formed element.
        """
        return cls.from_tree(_parse(data, surroundings))

    @classmethod
    def from_tree(cls, tree: _Element) -> Element:
        """An element with the same infoset as `tree`, its bytes in canonical outer form."""
        opening, content, closing = serialise_parts(tree)
        children = []
        offset = len(opening)
        for index, piece in enumerate(content):
            if index % 2:
                children.append(Child(*split_tag(str(tree[index // 2].tag)), offset, offset + len(piece)))
            offset += len(piece)
        attrs = {str(key): str(value) for key, value in tree.attrib.items()}
        raw = opening + b"".join(content) + closing
        return cls(*split_tag(str(tree.tag)), attrs, raw, len(opening), tuple(children))

    @property
    def id(self) -> str | None:
        """The `id` attribute."""
        return self.attrs.get("id")

    @property
    def type(self) -> str | None:
        """The `type` attribute, as sent: no default is filled in."""
        return self.attrs.get("type")

    @property
    def to(self) -> str | None:
        """The `to` attribute, as sent."""
        return self.attrs.get("to")

    @property
    def from_(self) -> str | None:
        """The `from` attribute, as sent."""
        return self.attrs.get("from")

    @property
    def lang(self) -> str | None:
        """The `xml:lang` attribute."""
        return self.attrs.get(XML_LANG)

    def child(self, namespace: str, name: str) -> Child | None:
        """The first direct child with this name, or None."""
        for child in self.children:
            if child.name == name and child.namespace == namespace:
                return child
        return None

    def has(self, namespace: str, name: str) -> bool:
        """Whether there is a direct child with this name."""
        return self.child(namespace, name) is not None

    def child_bytes(self, child: Child) -> bytes:
        """The child's bytes; prefixes and the default namespace of the element are still needed around them."""
        return self.raw[child.start : child.end]

    def child_tree(self, child: Child) -> _Element:
        """The child as part of `tree()`; raises as that does."""
        return self.tree()[self.children.index(child)]

    def text_of(self, namespace: str, name: str) -> str | None:
        """The text directly inside the first child with this name, or None when there is no such child."""
        child = self.child(namespace, name)
        if child is None:
            return None
        start = opening_tag_end(self.raw, child.start)
        if start == child.end:
            return ""
        content = self.raw[start : self.raw.rfind(b"</", start, child.end)]
        if b"<" in content or b"&" in content or b"\r" in content:
            return self.child_tree(child).text or ""
        return content.decode()

    def tree(self) -> _Element:
        """The element as an lxml tree, built at the first call and shared: not to be changed.

        Raises:
            PayloadError: libxml2 refuses what expat let pass (an absurdly long name, say).
        """
        if self._tree is None:
            self._tree = _parse(self.raw, _CONTENT if self.namespace == NS_CLIENT else b"")
        return self._tree

    def __repr__(self) -> str:
        return f"<Element {{{self.namespace}}}{self.name} {len(self.raw)} bytes, {len(self.children)} children>"


def _parse(data: bytes, surroundings: bytes) -> _Element:
    # A new parser each time: lxml's parsers hold a lock and a dictionary of all names they ever met.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        # Inside a wrapper neither a DTD nor a second root can pass, and what the stream declares is in scope.
        wrapper = etree.fromstring(b"<x%b>%b</x>" % (surroundings, data), parser)
    except etree.XMLSyntaxError as error:
        raise PayloadError(f"not well-formed: {error.msg}") from error
    if len(wrapper) != 1 or wrapper.text or wrapper[0].tail:
        raise PayloadError("not exactly one element")
    tree = wrapper[0]
    wrapper.remove(tree)
    return tree


def opening_tag_end(raw: bytes | bytearray, start: int) -> int:
    """The offset just after the opening tag that begins at `start` in well-formed `raw`."""
    match = _OPENING_TAG.match(raw, start)
    return match.end() if match else start


def declare_prefixes(element: Element, declarations: Mapping[bytes, bytes]) -> Element:
    """The element with declarations for prefixes that it takes from its surroundings.

    Args:
        element: an element whose name has no prefix.
        declarations: by prefix as bytes, the attribute that declares it, with a space before it.

    A prefix that only seems to be used (it occurs in text) is declared too: that does no harm.
    """
    used = [prefix for prefix in declarations if prefix + b":" in element.raw]
    if not used:
        return element
    own = {name for name, _ in _RAW_ATTRIBUTE.findall(element.raw, 0, element.body_start)}
    missing = [declarations[prefix] for prefix in used if b"xmlns:" + prefix not in own]
    extra = b"".join(missing)
    head = 1 + len(element.name.encode())
    raw, shift = element.raw[:head] + extra + element.raw[head:], len(extra)
    children = tuple(Child(c.namespace, c.name, c.start + shift, c.end + shift) for c in element.children)
    return Element(element.namespace, element.name, element.attrs, raw, element.body_start + shift, children)


def restamp(element: Element, **attrs: str | None) -> bytes:
    """The stanza's bytes in canonical outer form, with some attributes of its opening tag replaced.

    Args:
        element: the stanza as received; everything but the named attributes is kept byte for byte.
        attrs: `to`, `from_`, `id`, `type`, `lang` (which is xml:lang); None removes the attribute.

    Raises:
        KeyError: another attribute is named.
    """
    raw, body_start = element.raw, element.body_start
    gone = [_STAMPS[key] for key in attrs]
    if element.namespace == NS_CLIENT:
        gone.append(b"xmlns")
    tag = b"<" + element.name.encode()
    for name, value in _RAW_ATTRIBUTE.findall(raw, 0, body_start):
        if name not in gone:
            tag += b" %b=%b" % (name, value)
    for key, stamp in attrs.items():
        if stamp is not None:
            tag += _stamp(key, stamp)
    return tag + (b"/>" if raw.startswith(b"/", body_start - 2) else b">") + raw[body_start:]


# The same few addresses over and over.
@lru_cache(maxsize=4096)
def _stamp(key: str, value: str) -> bytes:
    return b' %b="%b"' % (_STAMPS[key], attribute(value))


def insert_children(stanza: bytes, extra: bytes) -> bytes:
    """`stanza` with `extra` (zero or more elements) as its last children."""
    if not extra:
        return stanza
    if stanza.endswith(b"/>"):
        name = _ELEMENT_NAME.match(stanza)
        return b"%b>%b</%b>" % (stanza[:-2], extra, name[1] if name else b"")
    end = stanza.rindex(b"</")
    return stanza[:end] + extra + stanza[end:]


def to_frame(stanza: bytes) -> bytes:
    """A stanza in canonical outer form as a WebSocket frame, with its namespace declared (RFC 7395 §3.3.3).

    Anything but a stanza is returned as it is: such elements declare their namespace themselves.
    """
    match = _STANZA_START.match(stanza)
    if not match:
        return stanza
    end = match.end()
    return stanza[:end] + _CONTENT + stanza[end:]


def from_server(element: Element) -> Element:
    """A stanza of a server's stream, in jabber:server, as the same one in jabber:client (RFC 6120 §4.8.3).

    The bytes stay where they name the namespace nowhere; otherwise the stanza is built anew. What lies inside a payload
    of another namespace is the payload's own and keeps its name.

    Args:
        element: its namespace is jabber:server, which is the default where its bytes do not declare one.

    Raises:
        PayloadError: see `Element.tree`.
    """
    if _SERVER not in element.raw and b"&#" not in element.raw:
        children = tuple(
            child._replace(namespace=NS_CLIENT) if child.namespace == NS_SERVER else child for child in element.children
        )
        return Element(NS_CLIENT, element.name, element.attrs, element.raw, element.body_start, children)
    tree = _parse(element.raw, _SERVER_CONTENT)
    _rename(tree)
    return Element.from_tree(tree)


def _rename(tree: _Element) -> None:
    mark = f"{{{NS_SERVER}}}"
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        node.tag = f"{{{NS_CLIENT}}}{str(node.tag).removeprefix(mark)}"
        waiting += [child for child in node if str(child.tag).startswith(mark)]


def to_server(stanza: bytes) -> bytes:
    """A stanza in canonical outer form as it goes out on a stream whose default namespace is jabber:server.

    Raises:
        PayloadError: see `Element.tree`.
    """
    if _CLIENT not in stanza and _SERVER not in stanza and b"&#" not in stanza:
        return stanza
    tree = _parse(stanza, _CONTENT)
    # A child in jabber:server was a payload to all who looked at the stanza; there it would be a body or a subject.
    for child in tree.findall(f"{{{NS_SERVER}}}*"):
        tree.remove(child)
    # In canonical form only what lies inside another namespace names jabber:client, and there it is the payload's own.
    return Element.from_tree(tree).raw
