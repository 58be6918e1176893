"""Messages taken back: by who wrote them (XEP-0424), or by a moderator (XEP-0425). A tombstone stays in the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.ports import RoomMessage
from parley.domain.rooms.standing import Role
from parley.edges.xmpp.delivery.decoration import with_stanza_id
from parley.edges.xmpp.rooms.names import (
    NS_FASTEN,
    NS_MODERATE,
    NS_MODERATE_0,
    NS_OCCUPANT_ID,
    NS_RETRACT,
    NS_RETRACT_0,
)
from parley.edges.xmpp.rooms.rendering import in_room, room_message
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.domain.rooms.events import Occupant
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.requests import Asked


async def check_own_retraction(live: LiveRoom, occupant: Occupant, element: Element) -> str:
    """The id of the message that an occupant takes back, "" for none that this room keeps.

    Raises:
        RoomRefused: somebody else wrote it.
    """
    child = element.child(NS_RETRACT, "retract")
    message_id = "" if child is None else element.child_tree(child).get("id", "")
    known = await live.host.stores.rooms.message(live.room.address, message_id) if message_id else None
    if known is None:
        return ""
    if known.sender != occupant.address:
        raise RoomRefused(Why.NO_PRIVILEGE, "somebody else wrote that")
    return message_id


async def retract(live: LiveRoom, message_id: str, retraction_id: str, said: bytes = b"") -> None:
    """Put a tombstone where a message was; one that its author takes back stays where the settings keep it.

    Args:
        live: the room.
        message_id: the message's in the archive.
        retraction_id: of the message that takes it back.
        said: what is said inside the tombstone: by whom it was moderated, and why.
    """
    store, room = live.host.stores.rooms, live.room.address
    known = await store.message(room, message_id)
    if known is None:
        return
    attrs = {"xmlns": NS_RETRACT, "id": retraction_id or None, "stamp": format_datetime(live.host.clock.now_us())}
    # What a moderator takes back goes in any case: that is what moderators are for.
    is_kept = not said and live.host.settings.archive.retractions == "keep"
    content = known.content if is_kept else _tombstone(known, xml("retracted", attrs, said))
    # To those who enter it is not shown any more, kept or not.
    await store.replace(room, message_id, content)
    live.history.drop(message_id)


def _tombstone(known: RoomMessage, retracted: bytes) -> bytes:
    """XEP-0424 §5: the message without anything that was said, but whose it was."""
    element = Element.from_bytes(known.content)
    child = element.child(NS_OCCUPANT_ID, "occupant-id")
    identity = b"" if child is None else element.child_bytes(child)
    attrs = {"from": element.from_, "type": element.type, "id": element.id}
    return xml("message", attrs, identity, retracted)


async def moderate(asked: Asked) -> bytes | None:
    """XEP-0425 §5: a moderator takes somebody's message back."""
    tree = asked.tree
    if tree.find(f"{{{NS_RETRACT}}}retract") is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    await _moderate(asked, tree.get("id", ""), tree.findtext(f"{{{NS_MODERATE}}}reason") or "")
    return None


async def moderate_fastened(asked: Asked) -> bytes | None:
    """The same as clients asked for it before version 0.3 of XEP-0425."""
    wish = asked.tree.find(f"{{{NS_MODERATE_0}}}moderate")
    if wish is None or wish.find(f"{{{NS_RETRACT_0}}}retract") is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    await _moderate(asked, asked.tree.get("id", ""), wish.findtext(f"{{{NS_MODERATE_0}}}reason") or "")
    return None


async def _moderate(asked: Asked, message_id: str, reason: str) -> None:
    live = asked.live
    if live.room.role_of_address(asked.address) is not Role.MODERATOR:
        raise RoomRefused(Why.NO_PRIVILEGE, "only moderators may do this")
    if not message_id:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    store, room = live.host.stores.rooms, live.room.address
    known = await store.message(room, message_id)
    if known is None or not known.sender:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    reason = reason[: live.host.settings.rooms.max_subject_bytes]
    by = in_room(live.jid, live.room.acting_nick(asked.session))
    said = _moderated(asked, by, reason)
    element = xml("retract", {"xmlns": NS_RETRACT, "id": message_id}, said)
    announced = live.host.new_id()
    content = room_message(room, element + _fastened(message_id, by, reason), message_id=announced)
    message = RoomMessage(announced, live.host.clock.now_us(), "", "", content, in_history=False)
    await store.append(room, message)
    await retract(live, message_id, announced, said)
    asked.answer()
    live.broadcast(with_stanza_id(content, room, announced))


def _moderated(asked: Asked, by: str, reason: str) -> bytes:
    moderated = xml("moderated", {"xmlns": NS_MODERATE, "by": by}, asked.live.occupant_id(asked.address))
    return moderated + (xml("reason", None, reason) if reason else b"")


def _fastened(message_id: str, by: str, reason: str) -> bytes:
    """For clients that know version 0.2 alone, and there are many."""
    parts = [xml("retract", {"xmlns": NS_RETRACT_0})] + ([xml("reason", None, reason)] if reason else [])
    moderated = xml("moderated", {"xmlns": NS_MODERATE_0, "by": by}, *parts)
    return xml("apply-to", {"xmlns": NS_FASTEN, "id": message_id}, moderated)
