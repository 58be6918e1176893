"""What may wait while a client is inactive (XEP-0352): presence, typing, and events of nodes.

Of what supersedes itself the last is kept: one presence of each device, one state of each chat, one event of each item.
What waits keeps its order. Before anything that may not wait, all goes out that does; so nothing ever overtakes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import PayloadError

if TYPE_CHECKING:
    from lxml.etree import _Element

_NS_MUC_USER: Final = "http://jabber.org/protocol/muc#user"
_BESIDE_STATES: Final = frozenset({ns.NS_CHAT_STATES, ns.NS_HINTS, ns.NS_DELAY})
_ITEMS: Final = f"{{{ns.NS_PUBSUB_EVENT}}}items"
_FORWARDED: Final = f"{{{ns.NS_FORWARD}}}forwarded"
_MESSAGE: Final = f"{{{ns.NS_CLIENT}}}message"


class Held:
    """The stanzas that wait for one client.

    Args:
        max_stanzas: with more than so many it is full.
        max_bytes: likewise.
    """

    def __init__(self, max_stanzas: int, max_bytes: int) -> None:
        self._max_stanzas = max_stanzas
        self._max_bytes = max_bytes
        self._stanzas: dict[Hashable, bytes] = {}
        self._size_bytes = 0

    def keep(self, stanza: bytes) -> bool:
        """Keep the stanza; False when it may not wait."""
        key = _key(stanza)
        if key is None:
            return False
        # What is superseded goes, and the new one takes its place at the end.
        self._size_bytes += len(stanza) - len(self._stanzas.pop(key, b""))
        self._stanzas[key] = stanza
        return True

    @property
    def is_full(self) -> bool:
        """Whether it is time to send all."""
        return len(self._stanzas) > self._max_stanzas or self._size_bytes > self._max_bytes

    def release(self) -> list[bytes]:
        """All that waited, in order; nothing waits any longer."""
        stanzas = list(self._stanzas.values())
        self._stanzas.clear()
        self._size_bytes = 0
        return stanzas


def _key(stanza: bytes) -> Hashable | None:
    """What the stanza is the latest of; None when it may not wait."""
    if stanza.startswith(b"<iq"):
        return None
    try:
        element = Element.from_bytes(stanza)
        return _presence_key(element) if element.name == "presence" else _message_key(element)
    except PayloadError:
        return None


def _presence_key(element: Element) -> Hashable | None:
    if element.type not in (None, "unavailable"):
        return None
    child = element.child(_NS_MUC_USER, "x")
    # XEP-0045: with a status it is about who gets it, or about the room itself.
    if child is not None and any(_local(each) in ("status", "destroy") for each in element.child_tree(child)):
        return None
    return "presence", element.from_


def _message_key(element: Element) -> Hashable | None:
    event = element.child(ns.NS_PUBSUB_EVENT, "event")
    if event is not None:
        return _event_key(element.from_, element.child_tree(event)) if element.type == "headline" else None
    for name in ("received", "sent"):
        carbon = element.child(ns.NS_CARBONS, name)
        if carbon is not None:
            copy = element.child_tree(carbon).find(f"{_FORWARDED}/{_MESSAGE}")
            return None if copy is None else _state_key(name, Element.from_tree(copy))
    return _state_key("", element)


def _state_key(direction: str, element: Element) -> Hashable | None:
    namespaces = {child.namespace for child in element.children if child.name != "thread"}
    if ns.NS_CHAT_STATES not in namespaces or not namespaces <= _BESIDE_STATES:
        return None
    return "state", direction, element.from_, element.to


def _event_key(sender: str | None, event: _Element) -> Hashable | None:
    """An item that is published or deleted takes the place of its last event; all else is told at once."""
    if len(event) != 1 or event[0].tag != _ITEMS:
        return None
    items = event[0]
    return "event", sender, items.get("node"), tuple(item.get("id") for item in items)


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]
