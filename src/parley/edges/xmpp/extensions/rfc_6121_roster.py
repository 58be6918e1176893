"""Rosters: fetched in full or as what changed (§2.6), changed one item at a time (§2.3 to §2.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from parley.domain.contacts import Contact, RosterChange
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.people.rosters import roster_item
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_ROSTER, NS_ROSTER_VERSIONING, NS_SUBSCRIPTION_PREAPPROVAL

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.host import Host

_MAX_HANDLE_BYTES: Final = 1023
# Beyond this a whole roster is less work for everybody than its changes.
_MAX_PUSHES: Final = 100
_VERSION_DIGITS: Final = 18


def _stream_features(_host: Host, is_authenticated: bool) -> bytes:
    if not is_authenticated:
        return b""
    return xml("ver", {"xmlns": NS_ROSTER_VERSIONING}) + xml("sub", {"xmlns": NS_SUBSCRIPTION_PREAPPROVAL})


async def _get(request: IqRequest) -> bytes | None:
    host, session = request.host, request.session
    known = _version(request.tree.get("ver", ""))
    while True:
        roster = await host.rosters.get(session.account.id)
        changes = None
        if known is not None and known <= roster.version:
            changes = await host.stores.rosters.changes(session.account.id, known)
        if host.rosters.cached(session.account.id) is roster:
            break
    # From here on nothing waits, so what changes next is pushed behind this answer.
    session.is_roster_requested = True
    if changes is None or len(changes) > min(len(roster.contacts), _MAX_PUSHES):
        listed = [roster_item(contact) for contact in roster.contacts.values() if contact.is_listed]
        return xml("query", {"xmlns": NS_ROSTER, "ver": str(roster.version)}, *listed)
    request.answer()
    for change in changes:
        session.send(_push(request, change))
    return None


def _version(text: str) -> int | None:
    # A version is the server's own word: any other text is as good as none.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _VERSION_DIGITS else None


def _push(request: IqRequest, change: RosterChange) -> bytes:
    if change.contact is not None:
        item = roster_item(change.contact)
    else:
        item = xml("item", {"jid": change.address, "subscription": "remove"})
    query = xml("query", {"xmlns": NS_ROSTER, "ver": str(change.version)}, item)
    return xml("iq", {"type": "set", "id": request.host.new_id(), "to": str(request.sender)}, query)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a roster set asks for."""

    contact: JID
    is_removal: bool
    name: str
    groups: tuple[str, ...]


async def _set(request: IqRequest) -> bytes:
    wish = _read(request.tree, request.host.settings.limits.max_roster_groups)
    if wish.contact == request.sender.bare:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "nobody is their own contact")
    if wish.is_removal:
        await request.host.presences.remove_contact(request.session.account, wish.contact)
    else:
        await _put(request, wish)
    return b""


async def _put(request: IqRequest, wish: _Wish) -> None:
    def change(before: Contact | None) -> Contact:
        # §2.1.2: name and groups are the user's to set, the rest follows from subscriptions.
        known = before or Contact(str(wish.contact))
        return replace(known, name=wish.name, groups=wish.groups, is_listed=True)

    # §2.4.2: every roster set that is processed is pushed, whatever it changes.
    await request.host.rosters.update(request.session.account, str(wish.contact), change, is_told_anyway=True)


async def _forbidden(_request: IqRequest) -> bytes:
    # §2.1.5, §2.3.3: nobody changes the roster of somebody else.
    raise StanzaError(StanzaCondition.FORBIDDEN)


def _read(query: _Element, max_groups: int) -> _Wish:
    items = list(query)
    if len(items) != 1 or items[0].tag != f"{{{NS_ROSTER}}}item":
        # §2.3.3: a roster set holds exactly one item.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a roster set has one item")
    item = items[0]
    jid = item.get("jid")
    if not jid:
        # §2.1.2.3: it is REQUIRED.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an item has an address")
    contact = JID.parse(jid).bare
    name = item.get("name", "")
    _check_handle(name)
    groups = tuple(group.text or "" for group in item.iterchildren(f"{{{NS_ROSTER}}}group"))
    for group in groups:
        if not group:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a group has a name")
        _check_handle(group)
    if len(set(groups)) != len(groups):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a group is named twice")
    if len(groups) > max_groups:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a contact is in at most {max_groups} groups")
    return _Wish(contact, item.get("subscription") == "remove", name, groups)


def _check_handle(text: str) -> None:
    if len(text.encode()) > _MAX_HANDLE_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a name has at most {_MAX_HANDLE_BYTES} bytes")


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="RFC 6121",
    name="Rosters, with versioning (XEP-0237) and subscriptions approved beforehand",
    version="2011-03",
    status="complete; presence and subscriptions are in edges/xmpp/people/presences.py and subscribing.py",
    stream_features=_stream_features,
    iq=(
        IqHandler("get", NS_ROSTER, "query", _ACCOUNT, _get),
        IqHandler("set", NS_ROSTER, "query", _ACCOUNT, _set),
        IqHandler("set", NS_ROSTER, "query", _CONTACT, _forbidden, for_strangers=True),
    ),
)
