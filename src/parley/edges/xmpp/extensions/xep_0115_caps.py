"""Entity capabilities: the server's own, and those of others as far as they tell which events somebody wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.interests import Interests, claim_in
from parley.edges.xmpp.extensions.pubsub.listeners import GuestListener, SessionListener
from parley.edges.xmpp.extensions.xep_0030_disco import ServerInfo
from parley.protocols.xmpp.namespaces import NS_CAPS

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID


def _stream_features(host: Host, is_authenticated: bool) -> bytes:
    # §6.3: a client that knows them need not ask.
    return host.memory(ServerInfo).caps.to_bytes() if is_authenticated else b""


async def _presence(host: Host, session: Session, element: Element) -> None:
    claim = claim_in(element)
    if claim is not None:
        host.memory(Interests).announced(SessionListener(host, session), claim)


async def _stranger(host: Host, account: Account, sender: JID, element: Element) -> None:
    guests = host.memory(Guests)
    if element.type == "unavailable":
        guests.left(account.id, sender)
        return
    claim, session = claim_in(element), host.router.find(sender)
    if not sender.is_full or (claim is None and session is None):
        return
    contact = (await host.rosters.get(account.id)).contacts.get(str(sender.bare))
    guests.came(account.id, sender, is_contact=contact is not None and contact.state.from_)
    listener = GuestListener(host, account, sender)
    if claim is not None:
        host.memory(Interests).announced(listener, claim)
    elif session is not None:
        # What a device of ours wants to hear of is known from its broadcast.
        listener.learned(session.notify_nodes)


EXTENSION = Extension(
    spec="XEP-0115",
    name="Entity Capabilities",
    version="1.6.0",
    server_features=(NS_CAPS,),
    stream_features=_stream_features,
    on_presence=_presence,
    on_stranger=_stranger,
)
