"""Roles and affiliations, asked for and changed (XEP-0045 §8, §9): kicks, voice, moderators, bans, members, owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Absent, Changed, Removed
from parley.domain.rooms.privileges import check_list
from parley.domain.rooms.room import StandingChange
from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.rooms.invitations import invite_person
from parley.edges.xmpp.rooms.names import AFFILIATION_CHANGED, NS_MUC_ADMIN
from parley.edges.xmpp.rooms.rendering import Item, addressed, room_message, user
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.rooms.events import Occupant
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.requests import Asked

_ITEM: Final = f"{{{NS_MUC_ADMIN}}}item"
_REASON: Final = f"{{{NS_MUC_ADMIN}}}reason"
_MOST: Final = 500
"""Items in one request."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """One item of a request: the one of role and affiliation that is not wished for is None; so is what is not said."""

    role: Role | None
    affiliation: Affiliation | None
    nick: str | None
    address: JID | None
    reason: str


async def list_people(asked: Asked) -> bytes:
    """Who has a role or an affiliation. Raises RoomRefused, StanzaError."""
    wishes = _wishes(asked)
    items = [item for wish in wishes for item in _listed(asked, wish)]
    return xml("query", {"xmlns": NS_MUC_ADMIN}, *items)


def _listed(asked: Asked, wish: _Wish) -> list[bytes]:
    room = asked.live.room
    if wish.role is not None:
        _check_role_list(asked, wish.role)
        return [_occupant_item(asked.live, one) for one in room.occupants.values() if one.role is wish.role]
    affiliation = wish.affiliation or Affiliation.NONE
    role = room.role_of_address(asked.address)
    check_list(affiliation, role, room.affiliation(asked.address), room.config)
    # §17.4.5: with the nickname; in a semi-anonymous room others than admins do not see who is who inside.
    is_admin = room.affiliation(asked.address).rank >= Affiliation.ADMIN.rank
    sees_nicks = is_admin or room.shows_addresses_to(role)
    nicks = {occupant.address: occupant.nick for occupant in reversed(room.occupants.values())} if sees_nicks else {}
    items = []
    for address, standing in room.with_affiliation(affiliation):
        nick = (standing.nick or nicks.get(address, "")) if sees_nicks else ""
        attrs = {"affiliation": affiliation.value, "jid": address, "nick": nick or None}
        reason = xml("reason", None, standing.reason) if standing.reason else b""
        items.append(xml("item", attrs, reason))
    return items


def _check_role_list(asked: Asked, role: Role) -> None:
    """§8.5: moderators see who has voice; §9.8: admins who moderates."""
    room = asked.live.room
    if room.affiliation(asked.address).rank >= Affiliation.ADMIN.rank:
        return
    if role is Role.MODERATOR or room.role_of_address(asked.address) is not Role.MODERATOR:
        raise RoomRefused(Why.NO_PRIVILEGE, "this list is not for everybody")


def _occupant_item(live: LiveRoom, occupant: Occupant) -> bytes:
    attrs = {
        "affiliation": live.room.affiliation(occupant.address).value,
        "jid": occupant.session,
        "nick": occupant.nick,
        "role": occupant.role.value,
    }
    return xml("item", attrs)


async def administrate(asked: Asked) -> bytes | None:
    """Change roles and affiliations, all or none. Raises RoomRefused, StanzaError, StorageUnavailable."""
    live, room = asked.live, asked.live.room
    wishes = _wishes(asked)
    if any(wish.affiliation is not None for wish in wishes):
        # Before anything is looked up: nobody else finds out by asking who has which nickname.
        room.check_admin(asked.address)
    roles = [(_nick(live, wish), wish) for wish in wishes if wish.role is not None]
    changes = [_standing_change(live, wish) for wish in wishes if wish.affiliation is not None]
    for nick, wish in roles:
        room.check_role(asked.address, nick, wish.role or Role.NONE)
    if changes:
        room.check_standings(asked.address, changes)
        stored = {change.address: room.standing_after(change) for change in changes}
        await live.host.stores.rooms.set_standings(room.address, stored)
    by = room.acting_nick(asked.session)
    told = [room.change_role(nick, wish.role or Role.NONE, by, wish.reason) for nick, wish in roles]
    kicks: list[Changed | Removed | Absent] = [event for event in told if event is not None]
    events = [event for change in changes for event in room.change_standing(change, by)]
    # §8.2: first who is kicked, then the one who asked, then everybody else; §9.1, §9.2, §9.4: but the one who asked
    # before those who are put out for what they are to the room.
    live.tell_removed(kicks)
    asked.answer()
    live.tell_removed(events)
    live.tell_rest([*kicks, *events])
    await tell_absentees(live, asked.address, events)
    return None


async def tell_absentees(live: LiveRoom, by: str, events: list[Changed | Removed | Absent]) -> None:
    """Those who are not in the room hear of it: new members of a members-only room by an invitation (§9.5).

    Their number counts as that of other invitations does: what is beyond is not said, the affiliations hold.
    """
    for event in events:
        if not isinstance(event, Absent) or "@" not in event.address:
            continue
        try:
            live.check_rate(by)
        except RoomRefused:
            break
        to = JID.parse(event.address)
        is_new_member = event.before is Affiliation.NONE and event.after.rank >= Affiliation.MEMBER.rank
        if live.room.config.is_members_only and is_new_member:
            try:
                await invite_person(live, by, to, reason=event.reason)
            except StanzaError:
                continue  # nobody is there to be told
        elif live.host.router.is_account(to):
            # §18.1: with code 101. Only people of ours: strangers are not written to on a stranger's wish.
            item = Item(event.after, Role.NONE, "", "", event.reason).to_bytes(event.address)
            stanza = room_message(live.room.address, user(item, codes=(AFFILIATION_CHANGED,)), kind=None)
            live.host.post.send(addressed(stanza, str(to)), to)


def _wishes(asked: Asked) -> list[_Wish]:
    items = asked.tree.findall(_ITEM)
    if not 0 < len(items) <= _MOST:
        raise StanzaError(StanzaCondition.BAD_REQUEST, f"from one item to {_MOST}")
    return [_wish(asked, item) for item in items]


def _wish(asked: Asked, item: _Element) -> _Wish:
    role, affiliation, address = item.get("role"), item.get("affiliation"), item.get("jid")
    # §17.4.3: both at once MUST be refused.
    if (role is None) == (affiliation is None):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "either a role or an affiliation")
    try:
        wished = None if role is None else Role(role)
        held = None if affiliation is None else Affiliation(affiliation)
    except ValueError as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "unknown role or affiliation") from error
    reason = (item.findtext(_REASON) or "").strip()[: asked.live.host.settings.rooms.max_subject_bytes]
    nick = item.get("nick")
    if nick:
        # §17.1: names are compared in their normal form.
        nick = asked.live.jid.with_resource(nick).resource
    return _Wish(wished, held, nick, JID.parse(address) if address else None, reason)


def _nick(live: LiveRoom, wish: _Wish) -> str:
    """Whose role it is: by nickname, or by full address as in lists of moderators (§9.8)."""
    if wish.nick:
        return wish.nick
    if wish.address is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a nickname is missing")
    return live.room.nick_of(str(wish.address))


def _standing_change(live: LiveRoom, wish: _Wish) -> StandingChange:
    affiliation = wish.affiliation or Affiliation.NONE
    if wish.address is not None:
        # §9.3, §9.5: the nickname becomes theirs; an empty one takes away what was.
        return StandingChange(str(wish.address.bare), affiliation, wish.nick, wish.reason)
    if not wish.nick:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an address is missing")
    address = live.room.address_of(wish.nick)
    if address is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "nobody of that name is here")
    return StandingChange(address, affiliation, None, wish.reason)
