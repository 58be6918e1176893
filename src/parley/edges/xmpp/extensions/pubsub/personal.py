"""What happens by itself at accounts (XEP-0163 §4.3): the last items, for who comes and for who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.last import send_last_items, send_last_to_guest

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.jid import JID


async def send_last_items_to(host: Host, session: Session, names: Collection[str]) -> None:
    """Send a device the last item of each node in `names` that its user and their contacts have."""
    await send_last_items(host, session, service_of(session.account), names)
    roster = await host.rosters.get(session.account.id)
    for contact in roster.contacts.values():
        if contact.state.to and not session.is_leaving:
            owner = await host.stores.directory.find(contact.address)
            if owner is not None:
                await send_last_items(host, session, service_of(owner), names)


async def send_last_items_to_guest(host: Host, account: Account, guest: JID, names: Collection[str]) -> None:
    """Send somebody of another server the last item of each node of an account in `names`."""
    await send_last_to_guest(host, service_of(account), guest, names)


async def send_last_items_of(host: Host, owner: Account, contact: JID, only: Collection[str] | None = None) -> None:
    """Send the last item of each node of `owner` to the devices of a contact who was let in just now.

    `only`: let in to these nodes, not to all.
    """
    service, address = service_of(owner), str(contact.bare)
    for guest, nodes in host.memory(Guests).of(owner.id):
        if guest.bare == contact.bare:
            await send_last_to_guest(host, service, guest, _among(nodes, only))
    # Each may have to wait for its client, and none for those of the others.
    sending = [
        send_last_items(host, session, service, _among(session.notify_nodes, only), is_new=True)
        for session in host.router.available(address)
    ]
    await asyncio.gather(*sending)


def _among(nodes: frozenset[str], only: Collection[str] | None) -> frozenset[str]:
    return nodes if only is None else nodes.intersection(only)
