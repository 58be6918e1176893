"""Personal eventing: every account is its own publish-subscribe service, subscriptions follow from presence.

What is asked for is in `xep_0060_pubsub.py`, what clients want to hear of in `xep_0115_caps.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension, Identity
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.bounces import account_bounced
from parley.edges.xmpp.extensions.pubsub.contacts import contact_changed
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_of
from parley.protocols.xmpp.namespaces import NS_PUBSUB

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID


async def _subscribed(host: Host, account: Account, contact: JID) -> None:
    host.supervisor.spawn("last items", send_last_items_of(host, account, contact))


async def _own_form(host: Host, account: Account, element: Element) -> bool:
    """XEP-0060 §8.6: the account's user says whether somebody may subscribe."""
    form = approval.answer_in(element)
    if form is None:
        return False
    await approval.answered(host, service_of(account), account.address, form)
    return True


EXTENSION = Extension(
    spec="XEP-0163",
    name="Personal Eventing Protocol",
    version="1.2.2",
    account_identities=(Identity("pubsub", "pep"),),
    account_features=tuple(
        f"{NS_PUBSUB}#{name}"
        for name in (
            "auto-subscribe",
            "filtered-notifications",
            "presence-subscribe",
            "pubsub-on-a-jid",
        )
    ),
    on_subscribed=_subscribed,
    on_contact_changed=contact_changed,
    on_bounce=account_bounced,
    on_own_form=_own_form,
)
