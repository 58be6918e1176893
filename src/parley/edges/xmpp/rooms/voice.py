"""Requests for voice in moderated rooms, and their approval (XEP-0045 §7.13 and §8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.standing import Role
from parley.edges.xmpp.rooms.names import NS_MUC_REQUEST
from parley.edges.xmpp.rooms.rendering import room_message
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DATA

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.protocols.xmpp.element import Element

_ROLES: Final = (("Participant", Role.PARTICIPANT.value),)
"""What can be asked for."""


def is_voice_form(element: Element) -> bool:
    """Whether a message carries a form."""
    return element.has(NS_DATA, "x")


def receive_voice_form(live: LiveRoom, stanza: Inbound) -> None:
    """A request for voice, or its approval. Raises StanzaError, RoomRefused, PayloadError."""
    form = find_form(stanza.element.tree(), NS_MUC_REQUEST)
    if form is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    session = str(stanza.sender)
    occupant = live.room.inside(session)
    if occupant is None:
        raise RoomRefused(Why.NOT_INSIDE, "you are not in the room")
    live.check_rate(session)
    if form.type == "cancel":
        return
    if form.flag("muc#request_allow") is not None:
        _decide(live, session, form)
    elif form.value("muc#role") not in (None, Role.PARTICIPANT.value):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "only voice can be asked for")
    elif occupant.role is Role.VISITOR:
        _ask(live, session, occupant.nick)


def _ask(live: LiveRoom, session: str, nick: str) -> None:
    fields = (
        Field("FORM_TYPE", (NS_MUC_REQUEST,), "hidden"),
        Field("muc#role", (Role.PARTICIPANT.value,), "list-single", "Requested role", _ROLES),
        Field("muc#jid", (session,), "jid-single", "User ID"),
        Field("muc#roomnick", (nick,), "text-single", "Room Nickname"),
        Field("muc#request_allow", ("false",), "boolean", "Grant voice to this person?"),
    )
    instructions = ("To approve this request for voice, choose to grant voice and send the form.",)
    form = Form("form", fields, "Voice request", instructions).to_bytes()
    stanza = room_message(live.room.address, form, kind=None, message_id=live.host.new_id())
    for occupant in tuple(live.room.occupants.values()):
        if occupant.role is Role.MODERATOR:
            live.send_to(stanza, occupant)


def _decide(live: LiveRoom, session: str, form: Form) -> None:
    room, nick = live.room, form.value("muc#roomnick") or ""
    address = session.partition("/")[0]
    room.check_role(address, nick, Role.PARTICIPANT)
    asked = form.value("muc#jid")
    target = room.occupants[nick]
    # Somebody else may have that name by now.
    is_meant = asked is None or asked in target.sessions or asked == target.address
    if form.flag("muc#request_allow") and is_meant and target.role is Role.VISITOR:
        event = room.change_role(nick, Role.PARTICIPANT, room.nick_of(session))
        live.tell([] if event is None else [event])
