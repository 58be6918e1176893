"""Two accounts become contacts of each other without being asked: one invited, the other took it up (XEP-0379)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parley.domain.contacts import Contact
from parley.domain.errors import LimitReached
from parley.domain.relations import Outcome
from parley.domain.subscriptions import SubscriptionState
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

_BOTH = SubscriptionState(to=True, from_=True)


async def befriend(host: Host, inviter: Account, guest: Account) -> bool:
    """Let both see each other's presence, and tell their clients; False when a roster is full."""

    def change(own: Contact | None, theirs: Contact | None, _has_room: bool) -> Outcome:
        return Outcome(_friend(own, guest.address), _friend(theirs, inviter.address))

    try:
        await host.rosters.update_both(inviter, guest, change, lambda _outcome, _ours: None)
    except LimitReached:
        return False
    for account, other in ((inviter, guest), (guest, inviter)):
        contact = JID.parse(other.address)
        host.presences.show(account, contact)
        for extension in host.extensions:
            if extension.on_subscribed is not None:
                await extension.on_subscribed(host, account, contact)
    return True


def _friend(known: Contact | None, address: str) -> Contact:
    return replace((known or Contact(address)).with_state(_BOTH), is_listed=True)
