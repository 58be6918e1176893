"""What requests have in common: the account whose nodes they are about, and the node they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.domain.nodes import Node
    from parley.edges.xmpp.extension import IqRequest

_MAX_NAME_BYTES: Final = 1023


def owner_of(request: IqRequest) -> Account:
    """The account addressed; raises StanzaError where there is none."""
    if request.account is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return request.account


def node_name(element: _Element) -> str:
    """The node that `element` names; raises StanzaError."""
    name = element.get("node", "")
    if not name:
        raise refusal(StanzaCondition.BAD_REQUEST, "nodeid-required")
    return checked(name)


def checked(name: str) -> str:
    """A name of a node or an item that is short enough; raises StanzaError."""
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a name has at most {_MAX_NAME_BYTES} bytes")
    return name


async def node_of(request: IqRequest, element: _Element) -> Node:
    """The node that `element` names; raises StanzaError (item-not-found)."""
    return await request.host.memory(Nodes).get(owner_of(request).id, node_name(element))
