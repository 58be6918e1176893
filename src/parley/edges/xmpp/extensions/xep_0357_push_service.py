"""Push notifications, the app server's end: what other servers ask to wake a device. See `../push_service/`."""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.delivery.push import NS_PUSH
from parley.edges.xmpp.extension import Extension, Identity, IqHandler, IqRequest, Service, Target
from parley.edges.xmpp.extensions.xep_0030_disco import service_info
from parley.edges.xmpp.push_service.receiver import PushReceiver
from parley.edges.xmpp.push_service.registering import command, command_info, command_items
from parley.protocols.xmpp.commands import NS_COMMANDS
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_PUBSUB

_KEY: Final = "push"
_FEATURES: Final = ("access-whitelist", "publish", "publish-only-affiliation", "publish-options")
_SERVICE: Final = Service(
    _KEY,
    Identity("pubsub", "push", "Push notifications"),
    (NS_PUSH, NS_PUBSUB, *(f"{NS_PUBSUB}#{name}" for name in _FEATURES), NS_COMMANDS, NS_PING),
    receiver=PushReceiver,
)


async def _info(request: IqRequest) -> bytes:
    node = request.tree.get("node")
    return command_info(node) if node else service_info(request.host, _SERVICE).to_bytes()


async def _items(request: IqRequest) -> bytes:
    node = request.tree.get("node")
    if not node:
        # Nodes are nobody's business but their owners', who know them.
        return xml("query", {"xmlns": NS_DISCO_ITEMS})
    if node != NS_COMMANDS:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    return command_items(request)


_SERVER: Final = frozenset({Target.SERVER})

EXTENSION = Extension(
    spec="XEP-0357",
    name="Push Notifications, push service",
    version="0.4.1",
    status="complete but for the ways to devices: notifications are counted and logged",
    services=(_SERVICE,),
    iq=(
        IqHandler("get", NS_DISCO_INFO, "query", _SERVER, _info, service=_KEY, for_strangers=True),
        IqHandler("get", NS_DISCO_ITEMS, "query", _SERVER, _items, service=_KEY, for_strangers=True),
        IqHandler("set", NS_COMMANDS, "command", _SERVER, command, service=_KEY, for_strangers=True),
    ),
)
