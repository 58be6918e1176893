"""Requests to rooms: found by what they ask for; what is for an occupant is passed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.rooms.administration import administrate, list_people
from parley.edges.xmpp.rooms.archive import ask_archive, ask_archive_form, ask_archive_metadata
from parley.edges.xmpp.rooms.avatars import get_card, set_card
from parley.edges.xmpp.rooms.configuring import configure, get_form
from parley.edges.xmpp.rooms.discovery import room_info, room_items
from parley.edges.xmpp.rooms.names import NS_FASTEN, NS_MODERATE, NS_MUC_ADMIN, NS_MUC_OWNER
from parley.edges.xmpp.rooms.registration import get_registration, register
from parley.edges.xmpp.rooms.retraction import moderate, moderate_fastened
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_MAM,
    NS_PING,
    NS_REGISTER,
    NS_VCARD,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.service import Rooms


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a room. `session` is the full address of who asks, `address` the bare one."""

    live: LiveRoom
    stanza: Inbound
    session: str
    address: str

    @property
    def tree(self) -> _Element:
        """The payload as a tree, not to be changed; raises PayloadError."""
        return self.stanza.element.child_tree(self.stanza.element.children[0])

    def answer(self, result: bytes = b"") -> None:
        """Send the result now, for who has more to send behind it and returns None."""
        stanza = self.stanza
        attrs = {"type": "result", "id": stanza.element.id, "from": str(stanza.to), "to": self.session}
        reply = xml("iq", attrs, result)
        if stanza.origin is None:
            stanza.host.post.send(reply, stanza.sender)
        else:
            stanza.origin.answer(reply)


async def _ping(_asked: Asked) -> bytes:
    return b""


_Handle = Callable[[Asked], Awaitable[bytes | None]]

_HANDLERS: Final = MappingProxyType[tuple[str, str, str], _Handle](
    {
        ("get", NS_DISCO_INFO, "query"): room_info,
        ("get", NS_DISCO_ITEMS, "query"): room_items,
        ("get", NS_PING, "ping"): _ping,
        ("get", NS_MUC_ADMIN, "query"): list_people,
        ("set", NS_MUC_ADMIN, "query"): administrate,
        ("get", NS_MUC_OWNER, "query"): get_form,
        ("set", NS_MUC_OWNER, "query"): configure,
        ("get", NS_REGISTER, "query"): get_registration,
        ("set", NS_REGISTER, "query"): register,
        ("set", NS_MAM, "query"): ask_archive,
        ("get", NS_MAM, "query"): ask_archive_form,
        ("get", NS_MAM, "metadata"): ask_archive_metadata,
        ("get", NS_VCARD, "vCard"): get_card,
        ("set", NS_VCARD, "vCard"): set_card,
        ("set", NS_MODERATE, "moderate"): moderate,
        ("set", NS_FASTEN, "apply-to"): moderate_fastened,
    }
)


async def receive_iq(rooms: Rooms, stanza: Inbound) -> bytes | None:
    """Answer a request. Raises StanzaError, RoomRefused, PayloadError, StorageUnavailable."""
    element = stanza.element
    if element.type in ("result", "error"):
        rooms.passing.answered(stanza)
        return None
    if stanza.to.resource:
        live = await rooms.find(stanza.to)
        return await rooms.passing.request(live, stanza)
    payload = element.children[0]
    handle = _HANDLERS.get((element.type or "", payload.namespace, payload.name))
    live = await rooms.get(stanza.to)
    if live.room.is_locked and live.room.affiliation(str(stanza.sender.bare)) is not Affiliation.OWNER:
        # §7.2.11: before its owner has said what it is to be, it does not exist for anybody else.
        raise RoomRefused(Why.NO_SUCH_ROOM)
    if handle is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    if element.type == "set" and payload.namespace != NS_MAM:
        live.check_rate(str(stanza.sender))
    return await handle(Asked(live, stanza, str(stanza.sender), str(stanza.sender.bare)))
