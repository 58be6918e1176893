"""Rooms: the service, the list of its rooms, names for new ones. What happens in them is in `edges/xmpp/rooms/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, Identity, IqHandler, Service, Target
from parley.edges.xmpp.rooms.discovery import list_rooms, unique_name
from parley.edges.xmpp.rooms.names import NS_MUC, NS_MUC_STABLE_ID, NS_MUC_UNIQUE, NS_OCCUPANT_ID
from parley.edges.xmpp.rooms.service import Rooms
from parley.protocols.xmpp.namespaces import NS_DISCO_ITEMS, NS_PING, NS_RSM, NS_VCARD

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

_SERVER: Final = frozenset({Target.SERVER})


def _rooms(host: Host) -> Rooms:
    return host.memory(Rooms)


def _ended(host: Host, session: Session) -> None:
    _rooms(host).ended(session)


EXTENSION = Extension(
    spec="XEP-0045",
    name="Multi-User Chat",
    version="1.35.5",
    status="complete but for three things that are optional: who registers with a room is not approved by anybody"
    " (§9.9), no room is fully anonymous, and as rooms live on over a restart nobody is put out by one (§11.2)",
    services=(
        Service(
            "rooms",
            Identity("conference", "text", "Rooms"),
            (NS_MUC, NS_MUC_STABLE_ID, NS_MUC_UNIQUE, NS_OCCUPANT_ID, NS_PING, NS_RSM, NS_VCARD, "muc_rooms"),
            receiver=Rooms,
        ),
    ),
    iq=(
        IqHandler("get", NS_DISCO_ITEMS, "query", _SERVER, list_rooms, service="rooms", for_strangers=True),
        IqHandler("get", NS_MUC_UNIQUE, "unique", _SERVER, unique_name, service="rooms", for_strangers=True),
    ),
    on_ended=_ended,
)
