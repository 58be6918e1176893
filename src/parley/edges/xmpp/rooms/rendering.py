"""The stanzas of rooms as bytes. What goes to many is made once, without recipient; `addressed` adds that."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.delivery.decoration import delay
from parley.edges.xmpp.rooms.names import NS_MUC_USER, NS_OCCUPANT_ID
from parley.protocols.xmpp.builder import attribute
from parley.protocols.xmpp.element import Child, Element, insert_children, restamp, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.origin import Origin

EMPTY_PRESENCE = b"<presence/>"


@dataclass(frozen=True, slots=True)
class Item:
    """What a presence says of its occupant (XEP-0045 §7.2.2); `address` is the full one, empty where it is hidden."""

    affiliation: Affiliation
    role: Role
    nick: str = ""
    by: str = ""
    reason: str = ""

    def to_bytes(self, address: str) -> bytes:
        """The `<item/>`."""
        attrs = {
            "affiliation": self.affiliation.value,
            "jid": address or None,
            "nick": self.nick or None,
            "role": self.role.value,
        }
        actor = xml("actor", {"nick": self.by}) if self.by else b""
        reason = xml("reason", None, self.reason) if self.reason else b""
        return xml("item", attrs, actor, reason)


@lru_cache(maxsize=16384)
def _to(address: str) -> bytes:
    return b' to="%b"' % attribute(address)


def addressed(stanza: bytes, address: str) -> bytes:
    """A stanza of which all is there but `to`."""
    # The names of stanzas differ in length; the first letter tells which it is.
    end = 9 if stanza[1] == ord("p") else 8
    return stanza[:end] + _to(address) + stanza[end:]


def user(*children: bytes, codes: Iterable[int] = ()) -> bytes:
    """`<x/>` of the namespace that rooms speak to users in."""
    return xml("x", {"xmlns": NS_MUC_USER}, *children, *(xml("status", {"code": str(code)}) for code in codes))


def presence(base: bytes, from_: str, *extra: bytes, is_unavailable: bool = False) -> bytes:
    """The presence of an occupant, without recipient.

    Args:
        base: what the occupant said, from `stored_presence`.
        from_: the occupant's address in the room.
        extra: what the room says.
        is_unavailable: the occupant goes.
    """
    kind = b' type="unavailable"' if is_unavailable else b""
    return insert_children(b'<presence from="%b"%b%b' % (attribute(from_), kind, base[9:]), b"".join(extra))


def room_message(room: str, *children: bytes, kind: str | None = "groupchat", message_id: str | None = None) -> bytes:
    """A message of the room itself, without recipient."""
    return xml("message", {"from": room, "type": kind, "id": message_id}, *children)


def occupant_id(secret: bytes, room: str, address: str) -> str:
    """Who somebody is in this room, whatever the nickname (XEP-0421 §4.1): tells nothing of the address elsewhere."""
    return _occupant_id(secret, room, address)


@lru_cache(maxsize=16384)
def _occupant_id(secret: bytes, room: str, address: str) -> str:
    return hmac.new(secret, f"{room}\0{address}".encode(), hashlib.sha256).hexdigest()


def occupant_id_element(secret: bytes, room: str, address: str) -> bytes:
    """The `<occupant-id/>`."""
    return xml("occupant-id", {"xmlns": NS_OCCUPANT_ID, "id": occupant_id(secret, room, address)})


def delay_of(room: str, at: int) -> bytes:
    """The stamp of what is shown again; the room's address, as the text wants where addresses are hidden (§7.2.13)."""
    return delay(room, at)


def without(element: Element, is_unwanted: Callable[[Child], bool]) -> Element:
    """The element without some of its children; all else byte for byte."""
    if not any(map(is_unwanted, element.children)):
        return element
    pieces, kept, place, shift = [], [], 0, 0
    for child in element.children:
        if is_unwanted(child):
            pieces.append(element.raw[place : child.start])
            place = child.end
            shift += child.end - child.start
        else:
            kept.append(Child(child.namespace, child.name, child.start - shift, child.end - shift))
    raw = b"".join((*pieces, element.raw[place:]))
    return Element(element.namespace, element.name, element.attrs, raw, element.body_start, tuple(kept))


def stored_presence(element: Element, origin: Origin | None, limit: int) -> bytes:
    """What an occupant says, as it is kept: without addresses, type and id, and without what only a room may say.

    Raises:
        StanzaError: it is longer than `limit` bytes, which a room keeps and repeats to everybody who enters.
    """
    if len(element.raw) > limit:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"presence in rooms has at most {limit} bytes")
    pruned = without(element, _is_room_talk)
    return restamp(pruned, to=None, from_=None, id=None, type=None, lang=element.lang or _lang(origin))


def _lang(origin: Origin | None) -> str | None:
    return getattr(origin, "lang", "") or None


def _is_room_talk(child: Child) -> bool:
    # XEP-0045 §17.3.2: what claims to be of the room MUST NOT be reflected; nor is the wish to enter.
    return child.namespace.startswith(_MUC) or child.namespace == NS_OCCUPANT_ID


_MUC = "http://jabber.org/protocol/muc"


def in_room(room: JID, nick: str) -> str:
    """An occupant's address in the room."""
    return f"{room}/{nick}" if nick else str(room)
