"""The end of a room (XEP-0045 §10.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.rooms.names import NS_MUC_OWNER
from parley.edges.xmpp.rooms.rendering import Item
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.requests import Asked


def destroyed_presence(live: LiveRoom, instead: str, reason: str, password: str) -> None:
    """Tell everybody inside that the room is gone: one stanza each. Nobody is inside after that.

    Args:
        live: the room.
        instead: the address of another room, empty for none.
        reason: in words, may be empty.
        password: of the other room, may be empty.
    """
    children = [xml("reason", None, reason)] if reason else []
    children += [xml("password", None, password)] if password else []
    destroy = xml("destroy", {"jid": instead or None}, *children)
    for occupant in tuple(live.room.occupants.values()):
        item = Item(Affiliation.NONE, Role.NONE)
        gone = live.show(occupant, item, base=b"<presence/>", destroy=destroy, was=Role.VISITOR)
        gone.to_self()
    for session in tuple(live.room.sessions):
        live.room.leave(session)
        live.rooms.went(session, live)


async def destroy_room(asked: Asked, request: _Element) -> bytes | None:
    """An owner destroys the room. Raises RoomRefused, StorageUnavailable."""
    live = asked.live
    live.room.check_owner(asked.address)
    instead = request.get("jid") or ""
    if instead:
        instead = str(JID.parse(instead))
    most = live.host.settings.rooms.max_subject_bytes
    reason = (request.findtext(f"{{{NS_MUC_OWNER}}}reason") or "").strip()[:most]
    password = (request.findtext(f"{{{NS_MUC_OWNER}}}password") or "")[:most]
    await live.rooms.destroy(live)
    destroyed_presence(live, instead, reason, password)
    return b""
