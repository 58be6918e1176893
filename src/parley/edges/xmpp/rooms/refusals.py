"""A room's refusals in the words of RFC 6120 §8.3.3, by the text of XEP-0045; the numbers of old clients come along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.rooms.names import KICKED, NS_MUC, REMOVED_FOR_ERROR, SELF
from parley.edges.xmpp.rooms.rendering import EMPTY_PRESENCE, Item, addressed, presence, user
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition as Condition
from parley.protocols.xmpp.errors import StanzaError
from parley.protocols.xmpp.errors import StanzaErrorType as Kind

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.protocols.xmpp.jid import JID

_ERRORS: Final[dict[Why, tuple[Condition, Kind | None]]] = {
    Why.NO_SUCH_ROOM: (Condition.ITEM_NOT_FOUND, None),
    Why.NO_SUCH_OCCUPANT: (Condition.ITEM_NOT_FOUND, None),
    Why.ROOM_LOCKED: (Condition.ITEM_NOT_FOUND, None),
    Why.PASSWORD_WRONG: (Condition.NOT_AUTHORIZED, None),
    Why.BANNED: (Condition.FORBIDDEN, None),
    Why.NO_MEMBER: (Condition.REGISTRATION_REQUIRED, None),
    # §7.2.10: of type wait, as it may pass.
    Why.FULL: (Condition.SERVICE_UNAVAILABLE, Kind.WAIT),
    Why.NICK_TAKEN: (Condition.CONFLICT, None),
    # §7.6: of type cancel.
    Why.NICK_LOCKED: (Condition.NOT_ACCEPTABLE, Kind.CANCEL),
    Why.NICK_BAD: (Condition.JID_MALFORMED, None),
    Why.NOT_INSIDE: (Condition.NOT_ACCEPTABLE, Kind.CANCEL),
    Why.NO_PRIVILEGE: (Condition.FORBIDDEN, None),
    Why.TARGET_TOO_HIGH: (Condition.NOT_ALLOWED, None),
    Why.ONESELF: (Condition.CONFLICT, None),
    Why.LAST_OWNER: (Condition.CONFLICT, None),
    Why.CREATION_RESTRICTED: (Condition.NOT_ALLOWED, None),
    Why.TOO_MANY_ROOMS: (Condition.RESOURCE_CONSTRAINT, None),
    Why.TOO_MANY_STANDINGS: (Condition.RESOURCE_CONSTRAINT, None),
    Why.CONFIG_BAD: (Condition.NOT_ACCEPTABLE, None),
    Why.TOO_LONG: (Condition.NOT_ACCEPTABLE, None),
    Why.TOO_FAST: (Condition.RESOURCE_CONSTRAINT, Kind.WAIT),
}


_OF_NICKNAMES: Final = frozenset({Why.NICK_TAKEN, Why.NICK_LOCKED, Why.NICK_BAD})


def refuse_presence(stanza: Inbound, why: RoomRefused | StanzaError) -> None:
    """Answer a presence with an error.

    §7.2, §7.6: clients know by the `<x/>` that it is their wish to enter, or to have another nickname, that failed.
    """
    element, error = stanza.element, refused_by(stanza.to, why)
    is_wish = element.has(NS_MUC, "x") or (isinstance(why, RoomRefused) and why.why in _OF_NICKNAMES)
    wish = xml("x", {"xmlns": NS_MUC}) if is_wish else b""
    attrs = {"type": "error", "id": element.id, "from": str(stanza.to), "to": str(stanza.sender)}
    reply = xml("presence", attrs, wish, error.to_bytes())
    stanza.host.metrics.refused(error.code)
    _answer(stanza, reply)


def refuse_update(stanza: Inbound) -> None:
    """Answer another presence of a client that is not inside: it is out of step with the room, and is to enter anew.

    §7.2.17: to let it in, as in the days before `<x/>`, would leave it without what those hear who enter.
    """
    item = Item(Affiliation.NONE, Role.NONE, reason="You are not in the room.").to_bytes("")
    said = user(item, codes=(SELF, KICKED, REMOVED_FOR_ERROR))
    reply = presence(EMPTY_PRESENCE, str(stanza.to), said, is_unavailable=True)
    _answer(stanza, addressed(reply, str(stanza.sender)))


def _answer(stanza: Inbound, reply: bytes) -> None:
    if stanza.origin is None:
        stanza.host.post.send(reply, stanza.sender)
    else:
        stanza.origin.answer(reply)


def refused_by(to: JID, error: RoomRefused | StanzaError) -> StanzaError:
    """What the asker is told: that it is the room who refuses, and not somebody behind it (XEP-0410 §3.2).

    Args:
        to: the address that was asked, the room's or an occupant's.
        error: why.
    """
    if isinstance(error, RoomRefused):
        condition, kind = _ERRORS[error.why]
        text = str(error) if str(error) != error.code else ""
        error = StanzaError(condition, text, type=kind)
    error.by = error.by or str(to.bare)
    return error
