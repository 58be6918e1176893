"""Reserved nicknames, and membership with them (XEP-0045 §7.10 and §7.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.room import StandingChange
from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.rooms.names import NS_MUC_REGISTER
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import JIDError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_REGISTER

if TYPE_CHECKING:
    from parley.edges.xmpp.rooms.requests import Asked

_NICK = "muc#register_roomnick"


async def get_registration(asked: Asked) -> bytes:
    """The form, or that the asker is registered. Raises StanzaError."""
    _check_allowed(asked)
    nick = asked.live.room.standing(asked.address).nick
    form = Form(
        "form",
        (
            Field("FORM_TYPE", (NS_MUC_REGISTER,), "hidden"),
            Field(_NICK, (nick,) if nick else (), "text-single", "Desired Nickname", is_required=True),
        ),
        f"Registration for {asked.live.room.address}",
        ("Choose the nickname that is to be yours in this room.",),
    ).to_bytes()
    if nick:
        return xml("query", {"xmlns": NS_REGISTER}, xml("registered"), xml("username", None, nick), form)
    return xml("query", {"xmlns": NS_REGISTER}, xml("instructions", None, "Choose a nickname."), form)


def _check_allowed(asked: Asked) -> None:
    if not asked.live.room.may_register(asked.address):
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "members are added by admins here")


async def register(asked: Asked) -> bytes | None:
    """Reserve a nickname, or give it up. Raises StanzaError, RoomRefused, PayloadError, StorageUnavailable."""
    _check_allowed(asked)
    room, tree = asked.live.room, asked.tree
    if tree.find(f"{{{NS_REGISTER}}}remove") is not None:
        return await _unregister(asked)
    form = find_form(tree)
    nick = None if form is None or form.form_type != NS_MUC_REGISTER else form.value(_NICK)
    if form is None or form.type != "submit" or not nick:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a nickname is missing")
    try:
        nick = asked.live.jid.with_resource(nick).resource
    except JIDError as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "not a nickname") from error
    change = room.check_register(asked.address, nick)
    await _change(asked, change)
    return None


async def _unregister(asked: Asked) -> bytes | None:
    room = asked.live.room
    standing = room.standings.get(asked.address)
    if standing is None:
        raise StanzaError(StanzaCondition.REGISTRATION_REQUIRED, "you are not registered here")
    affiliation = standing.affiliation
    if affiliation is Affiliation.MEMBER:
        await _change(asked, StandingChange(asked.address, Affiliation.NONE))
        return None
    # Owners and admins stay what they are, without the nickname.
    room.release_nick(asked.address)
    await asked.live.host.stores.rooms.set_standings(room.address, {asked.address: room.standing(asked.address)})
    return b""


async def _change(asked: Asked, change: StandingChange) -> None:
    live, room = asked.live, asked.live.room
    await live.host.stores.rooms.set_standings(room.address, {change.address: room.standing_after(change)})
    events = room.change_standing(change)
    asked.answer()
    live.tell(events)
