"""Personal eventing: every account is its own publish-subscribe service, subscriptions follow from presence.

What is asked for is in `xep_0060_pubsub.py`, what clients want to hear of in `xep_0115_caps.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension, Identity
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_of
from parley.protocols.xmpp.namespaces import NS_PUBSUB

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.jid import JID


async def _subscribed(host: Host, account: Account, contact: JID) -> None:
    host.supervisor.spawn("last items", send_last_items_of(host, account, str(contact)))


EXTENSION = Extension(
    spec="XEP-0163",
    name="Personal Eventing Protocol",
    version="1.2.2",
    status="complete for accounts of this server",
    account_identities=(Identity("pubsub", "pep"),),
    account_features=tuple(
        f"{NS_PUBSUB}#{name}"
        for name in (
            "auto-subscribe",
            "filtered-notifications",
            "last-published",
            "presence-subscribe",
            "pubsub-on-a-jid",
        )
    ),
    on_subscribed=_subscribed,
)
