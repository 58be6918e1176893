"""What a person has seen, on all of their devices: a node of the account, published to by a word in a message too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.edges.xmpp.delivery.traits import NS_DISPLAYED_SYNC
from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.pubsub.own import private_config, publish_own
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.errors import RemoteProtocolError
from parley.protocols.xmpp.namespaces import NS_STANZA_IDS

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Child, Element

log = logs.get(__name__)

_NS_ASSIST: Final = "urn:xmpp:mds:server-assist:0"
_MAX_NAME_BYTES: Final = 1023
_NO_NAMESPACE: Final = "no namespace is the default one"


async def _displayed(host: Host, account: Account, message: Element, child: Child) -> None:
    """§4.5: the item's id is the message's address as it was written."""
    try:
        tree = message.child_tree(child)
        payload = serialise(tree, default_namespace=_NO_NAMESPACE)
        is_named = len(tree.findall(f"{{{NS_STANZA_IDS}}}stanza-id")) == 1
        is_small = len(payload) <= host.settings.pep.max_item_bytes
        if message.to and is_named and is_small and len(message.to.encode()) <= _MAX_NAME_BYTES:
            await publish_own(host, account, NS_DISPLAYED_SYNC, (message.to, payload), private_config(host))
    except (DomainError, RemoteProtocolError) as error:
        log.error("what was displayed was not noted", code=error.code)


EXTENSION = Extension(
    spec="XEP-0490",
    name="Message Displayed Synchronization",
    version="1.0.0",
    account_features=(_NS_ASSIST,),
    assistants={(NS_DISPLAYED_SYNC, "displayed"): _displayed},
)
