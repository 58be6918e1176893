"""Publish-subscribe: nodes of accounts (XEP-0163) and of a service with a domain of its own.

What is asked for is told apart here; each kind of request has its file in `pubsub/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, Identity, IqHandle, IqHandler, IqRequest, Service, Target
from parley.edges.xmpp.extensions.pubsub import affiliations, creating, items, managing, pending, subscriptions
from parley.edges.xmpp.extensions.pubsub.asked import Asked, asked, service_of
from parley.edges.xmpp.extensions.pubsub.last import send_last_to_arrived
from parley.edges.xmpp.extensions.pubsub.leaving import end_subscriptions, session_left
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.paging import NS_ORDER_BY
from parley.edges.xmpp.extensions.pubsub.receiver import PubsubReceiver
from parley.edges.xmpp.extensions.pubsub.refusals import unsupported
from parley.edges.xmpp.extensions.pubsub.service_discovery import get_info, get_items, services_of
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PING,
    NS_PUBSUB,
    NS_PUBSUB_OWNER,
    NS_RSM,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID

_KEY: Final = "pubsub"

_Action = Callable[[Asked, "_Element"], Awaitable[bytes | None]]


def _dispatch(namespace: str, actions: Mapping[str, _Action]) -> IqHandle:
    """A handler that looks for the child of `<pubsub/>` that says what is asked."""

    async def handle(request: IqRequest) -> bytes | None:
        names = [str(child.tag).removeprefix(f"{{{namespace}}}") for child in request.tree]
        # Options stand beside what they are for; alone they are a request themselves.
        for name in actions:
            if name in names:
                return await actions[name](asked(request), request.tree[names.index(name)])
        raise StanzaError(StanzaCondition.BAD_REQUEST, "nothing that is known is asked for")

    return handle


async def _command(request: IqRequest) -> bytes | None:
    return await pending.command(asked(request), request.tree)


_GET: Final = MappingProxyType[str, _Action](
    {
        "items": items.get_items,
        "subscriptions": subscriptions.get_own,
        "affiliations": affiliations.get_own,
        "options": subscriptions.get_options,
        "default": subscriptions.get_default,
    }
)
_SET: Final = MappingProxyType[str, _Action](
    {
        "publish": items.publish,
        "retract": items.retract,
        "create": creating.create,
        "subscribe": subscriptions.subscribe,
        "unsubscribe": subscriptions.unsubscribe,
        "options": subscriptions.set_options,
    }
)
_OWNER_GET: Final = MappingProxyType[str, _Action](
    {
        "configure": creating.get_configuration,
        "default": creating.get_default,
        "subscriptions": managing.get_all,
        "affiliations": affiliations.get_all,
    }
)


async def _no_collections(_asked: Asked, _element: _Element) -> bytes:
    raise unsupported("collections")


_OWNER_SET: Final = MappingProxyType[str, _Action](
    {
        "configure": creating.set_configuration,
        "purge": items.purge,
        "delete": creating.delete,
        "subscriptions": managing.change,
        "affiliations": affiliations.change,
        "collection": _no_collections,
    }
)
_EVERYBODY: Final = frozenset(Target)
_SERVER: Final = frozenset({Target.SERVER})
_FEATURES: Final = (
    NS_PUBSUB,
    *(
        f"{NS_PUBSUB}#{name}"
        for name in (
            "access-authorize",
            "access-open",
            "access-presence",
            "access-roster",
            "access-whitelist",
            "config-node",
            "config-node-max",
            "create-and-configure",
            "create-nodes",
            "delete-items",
            "delete-nodes",
            "item-ids",
            "last-published",
            "leased-subscription",
            "manage-subscriptions",
            "member-affiliation",
            "meta-data",
            "modify-affiliations",
            "multi-items",
            "outcast-affiliation",
            "persistent-items",
            "presence-notifications",
            "publish",
            "publish-node-full",
            "publish-only-affiliation",
            "publish-options",
            "publisher-affiliation",
            "purge-nodes",
            "retract-items",
            "retrieve-affiliations",
            "retrieve-default",
            "retrieve-default-sub",
            "retrieve-items",
            "retrieve-subscriptions",
            "rsm",
            "subscribe",
            "subscription-notifications",
            "subscription-options",
        )
    ),
    NS_ORDER_BY,
    f"{NS_ORDER_BY}@{NS_PUBSUB}",
)
_SERVICE: Final = Service(
    _KEY,
    Identity("pubsub", "service", "Publish-subscribe"),
    (
        *_FEATURES,
        *(f"{NS_PUBSUB}#{name}" for name in ("get-pending", "instant-nodes")),
        pending.NS_COMMANDS,
        NS_PING,
        NS_RSM,
    ),
    receiver=PubsubReceiver,
)


def _handlers(kind: str, namespace: str, actions: Mapping[str, _Action]) -> IqHandler:
    handle = _dispatch(namespace, actions)
    return IqHandler(kind, namespace, "pubsub", _EVERYBODY, handle, service=_KEY, for_strangers=True)


async def _info(request: IqRequest) -> bytes:
    return await get_info(request, _SERVICE)


async def _available(host: Host, session: Session) -> None:
    for service in services_of(host, session.jid.domain):
        if await host.memory(Nodes).has_subscriptions(service):
            host.supervisor.spawn("last items", send_last_to_arrived(host, session, service))


async def _unavailable(host: Host, session: Session, _stanza: bytes) -> None:
    if host.memory(Nodes).may_have_passing:
        host.supervisor.spawn("what ends with presence", session_left(host, session))


async def _stranger(host: Host, account: Account, sender: JID, element: Element) -> None:
    if element.type == "unavailable" and await host.memory(Nodes).has_passing():
        await end_subscriptions(host, sender, is_last=False, at=service_of(account))


EXTENSION = Extension(
    spec="XEP-0060",
    name="Publish-Subscribe",
    version="1.26.0",
    status="complete but for collections, digests, several subscriptions of one address, and payment",
    account_features=(*_FEATURES, f"{NS_PUBSUB}#auto-create"),
    services=(_SERVICE,),
    iq=(
        _handlers("get", NS_PUBSUB, _GET),
        _handlers("set", NS_PUBSUB, _SET),
        _handlers("get", NS_PUBSUB_OWNER, _OWNER_GET),
        _handlers("set", NS_PUBSUB_OWNER, _OWNER_SET),
        IqHandler("get", NS_DISCO_INFO, "query", _SERVER, _info, service=_KEY, for_strangers=True),
        IqHandler("get", NS_DISCO_ITEMS, "query", _SERVER, get_items, service=_KEY, for_strangers=True),
        IqHandler("set", pending.NS_COMMANDS, "command", _SERVER, _command, service=_KEY, for_strangers=True),
    ),
    on_available=_available,
    on_unavailable=_unavailable,
    on_stranger=_stranger,
)
