"""What a room says of itself (XEP-0045 §6.4 to §6.6 and §7.11), and the list of rooms (§6.3)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.rooms.avatars import avatar_hashes
from parley.edges.xmpp.rooms.names import (
    NS_MODERATE,
    NS_MODERATE_0,
    NS_MUC,
    NS_MUC_CONFIG,
    NS_MUC_INFO,
    NS_MUC_REGISTER,
    NS_MUC_REQUEST,
    NS_MUC_STABLE_ID,
    NS_MUC_TRAFFIC,
    NS_OCCUPANT_ID,
    NS_RETRACT,
    NS_SELF_PING,
    RESERVED_NICK_NODE,
)
from parley.edges.xmpp.rooms.rendering import in_room
from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_MAM,
    NS_PING,
    NS_REGISTER,
    NS_STANZA_IDS,
    NS_VCARD,
)
from parley.protocols.xmpp.rsm import Page, parse_page_request

if TYPE_CHECKING:
    from parley.domain.rooms.room import Room
    from parley.edges.xmpp.extension import IqRequest
    from parley.edges.xmpp.rooms.requests import Asked

_FEATURES: Final = (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_MUC,
    NS_MUC_CONFIG,
    NS_MUC_INFO,
    NS_MUC_REQUEST,
    NS_MUC_STABLE_ID,
    NS_SELF_PING,
    NS_OCCUPANT_ID,
    NS_PING,
    NS_VCARD,
)
_OF_REGISTRATION: Final = (NS_REGISTER, NS_MUC_REGISTER)
_OF_ARCHIVES: Final = (
    NS_MAM,
    f"{NS_MAM}#extended",
    NS_STANZA_IDS,
    NS_RETRACT,
    f"{NS_RETRACT}#tombstone",
    NS_MODERATE,
    NS_MODERATE_0,
)
_PAGE: Final = 500
"""Rooms in one answer."""


async def room_info(asked: Asked) -> bytes:
    """disco#info of a room. Raises StanzaError."""
    room = asked.live.room
    node = asked.tree.get("node")
    if node == RESERVED_NICK_NODE:
        return _reserved_nick(asked)
    if node == NS_MUC_TRAFFIC:
        # §18.1.1: a room that lets everything pass has no list.
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    if node:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    name = room.config.name or asked.live.jid.local
    identity = Identity("conference", "text", name=name)
    registration = _OF_REGISTRATION if room.may_register(asked.address) else ()
    features = (*_FEATURES, *registration, *_kinds(room), *_archive(asked))
    return DiscoInfo((identity,), features, (_form(asked),)).to_bytes()


def _reserved_nick(asked: Asked) -> bytes:
    """§7.11: the asker's nickname, or nothing."""
    nick = asked.live.room.standing(asked.address).nick
    identities = (Identity("conference", "text", name=nick),) if nick else ()
    return DiscoInfo(identities, ()).to_bytes(RESERVED_NICK_NODE)


def _kinds(room: Room) -> tuple[str, ...]:
    """§15.3: what kind of room it is."""
    config = room.config
    return (
        "muc_passwordprotected" if config.password else "muc_unsecured",
        "muc_public" if config.is_public else "muc_hidden",
        "muc_persistent" if config.is_persistent else "muc_temporary",
        "muc_membersonly" if config.is_members_only else "muc_open",
        "muc_moderated" if config.is_moderated else "muc_unmoderated",
        "muc_semianonymous" if config.is_anonymous else "muc_nonanonymous",
    )


def _archive(asked: Asked) -> tuple[str, ...]:
    """What is read from an archive, and taken back in it: there is nothing else to take back."""
    return _OF_ARCHIVES if asked.live.keeps_archive else ()


def _form(asked: Asked) -> Form:
    room = asked.live.room
    config = room.config
    subject_open = ("1" if config.is_subject_open else "0",)
    fields = [
        Field("FORM_TYPE", (NS_MUC_INFO,), "hidden"),
        Field("muc#roominfo_description", (config.description,), "text-single", "Description"),
        # The registry's name of it, the name that it has among the options, and an older one.
        Field("muc#roominfo_subjectmod", subject_open, "boolean", "Whether Participants May Change the Subject"),
        Field("muc#roomconfig_changesubject", subject_open, "boolean", "Whether Occupants May Change the Subject"),
        Field("muc#roominfo_changesubject", subject_open, "boolean", "Whether Occupants May Change the Subject"),
        Field("muc#roomconfig_roomname", (config.name,), "text-single", "Name"),
        Field("muc#roomconfig_allowinvites", ("1" if config.is_invite_open else "0",), "boolean"),
        Field("muc#maxhistoryfetch", (str(config.history_length),), "text-single"),
    ]
    if _may_know(asked):
        fields.append(Field("muc#roominfo_subject", (room.subject.text,), "text-single", "Subject"))
        count = str(len(room.occupants))
        fields.append(Field("muc#roominfo_occupants", (count,), "text-single", "Number of occupants"))
    if config.language:
        fields.append(Field("muc#roominfo_lang", (config.language,), "text-single", "Language of discussion"))
    if config.pubsub:
        fields.append(Field("muc#roomconfig_pubsub", (config.pubsub,), "text-single", "Associated pubsub node"))
    if not config.is_anonymous:
        owners = tuple(sorted(address for address, _ in room.with_affiliation(Affiliation.OWNER)))
        fields.append(Field("muc#roominfo_contactjid", owners, "jid-multi", "Contact Addresses"))
    hashes = avatar_hashes(room.avatar)
    if hashes:
        fields.append(Field("muc#roominfo_avatarhash", hashes, "text-multi", "Avatar hash"))
    return Form("result", tuple(fields))


def _may_know(asked: Asked) -> bool:
    """§13.4: what a room talks about, and how many are in it, is for those who may enter."""
    room = asked.live.room
    affiliation = room.affiliation(asked.address)
    if room.inside(asked.session) is not None or affiliation.rank >= Affiliation.MEMBER.rank:
        return True
    return affiliation is Affiliation.NONE and not (room.config.is_members_only or room.config.password)


async def room_items(asked: Asked) -> bytes:
    """disco#items of a room: who is inside, for those inside, and for others where the owner lets them know (§6.5)."""
    live, room = asked.live, asked.live.room
    if asked.tree.get("node"):
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    is_known = room.inside(asked.session) is not None or (room.config.are_occupants_public and _may_know(asked))
    occupants = [o for o in room.occupants.values() if o.role in room.config.presence_of] if is_known else []
    items = [xml("item", {"jid": in_room(live.jid, occupant.nick)}) for occupant in occupants]
    return xml("query", {"xmlns": NS_DISCO_ITEMS}, *items)


async def list_rooms(request: IqRequest) -> bytes:
    """disco#items of the service: the public rooms, page by page (XEP-0059). Raises StanzaError, PayloadError."""
    if request.tree.get("node"):
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    asked = parse_page_request(request.tree)
    if asked.index is not None:
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "pages are not found by number")
    store, domain = request.host.stores.rooms, request.to.domain
    limit = _PAGE if asked.max is None else min(asked.max, _PAGE)
    if asked.before is None:
        rooms = await store.listed(domain, asked.after or "", limit)
    else:
        rooms = await store.listed_before(domain, asked.before or None, limit)
    count = await store.count_listed(domain)
    items = [xml("item", {"jid": room.address, "name": room.name or room.address.partition("@")[0]}) for room in rooms]
    if asked == type(asked)() and count == len(rooms):
        return xml("query", {"xmlns": NS_DISCO_ITEMS}, *items)
    index = None if asked.after or asked.before is not None else 0
    page = Page(rooms[0].address, rooms[-1].address, index, count) if rooms else Page(count=count)
    return xml("query", {"xmlns": NS_DISCO_ITEMS}, *items, page.to_bytes())


async def unique_name(request: IqRequest) -> bytes:
    """§10.1.4: a name that no room has. Raises nothing: who may make no room hears that when trying to."""
    name = hashlib.sha256(request.host.new_id().encode()).hexdigest()[:32]
    return xml("unique", {"xmlns": f"{NS_MUC}#unique"}, name)
