"""Namespaces and status codes of rooms."""

from __future__ import annotations

from typing import Final

from parley.domain.rooms.events import Removal

NS_MUC: Final = "http://jabber.org/protocol/muc"
NS_MUC_USER: Final = f"{NS_MUC}#user"
NS_MUC_ADMIN: Final = f"{NS_MUC}#admin"
NS_MUC_OWNER: Final = f"{NS_MUC}#owner"
NS_MUC_UNIQUE: Final = f"{NS_MUC}#unique"
NS_MUC_CONFIG: Final = f"{NS_MUC}#roomconfig"
NS_MUC_INFO: Final = f"{NS_MUC}#roominfo"
NS_MUC_REGISTER: Final = f"{NS_MUC}#register"
NS_MUC_REQUEST: Final = f"{NS_MUC}#request"
NS_MUC_TRAFFIC: Final = f"{NS_MUC}#traffic"
NS_MUC_STABLE_ID: Final = f"{NS_MUC}#stable_id"
NS_SELF_PING: Final = f"{NS_MUC}#self-ping-optimization"  # XEP-0410
NS_CONFERENCE: Final = "jabber:x:conference"  # XEP-0249
NS_OCCUPANT_ID: Final = "urn:xmpp:occupant-id:0"  # XEP-0421
NS_RETRACT: Final = "urn:xmpp:message-retract:1"  # XEP-0424
NS_MODERATE: Final = "urn:xmpp:message-moderate:1"  # XEP-0425
NS_RETRACT_0: Final = "urn:xmpp:message-retract:0"
NS_MODERATE_0: Final = "urn:xmpp:message-moderate:0"
NS_FASTEN: Final = "urn:xmpp:fasten:0"  # XEP-0422
RESERVED_NICK_NODE: Final = "x-roomuser-item"

# XEP-0045 §15.6.
SHOWS_ADDRESSES: Final = 100
AFFILIATION_CHANGED: Final = 101
CONFIG_CHANGED: Final = 104
SELF: Final = 110
LOGGED: Final = 170
NOT_LOGGED: Final = 171
NOW_NONANONYMOUS: Final = 172
NOW_SEMIANONYMOUS: Final = 173
CREATED: Final = 201
NICK_ASSIGNED: Final = 210
RENAMED: Final = 303
KICKED: Final = 307
REMOVED_FOR_ERROR: Final = 333

CODES: Final[dict[Removal, tuple[int, ...]]] = {
    Removal.LEFT: (),
    Removal.KICKED: (KICKED,),
    Removal.BANNED: (301,),
    Removal.LOST_MEMBERSHIP: (321,),
    Removal.ROOM_CLOSED_TO_STRANGERS: (322,),
    # §11.1: not 307 beside it, nobody put them out.
    Removal.UNREACHABLE: (REMOVED_FOR_ERROR,),
}
