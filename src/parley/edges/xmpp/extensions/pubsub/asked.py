"""What requests have in common: the service whose nodes they are about, who asks, and the node they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Affiliation, PubsubService
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes, limits_of
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.dataforms import Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, RemoteProtocolError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.domain.pubsub.nodes import Node
    from parley.edges.xmpp.extension import IqRequest
    from parley.edges.xmpp.extensions.pubsub.nodes import Limits
    from parley.edges.xmpp.host import Host

_MAX_NAME_BYTES: Final = 1023


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and the service that it is for."""

    request: IqRequest
    service: PubsubService

    @property
    def host(self) -> Host:
        """The edge."""
        return self.request.host

    @property
    def nodes(self) -> Nodes:
        """The nodes of all services."""
        return self.request.host.memory(Nodes)

    @property
    def asker(self) -> str:
        """The bare address of who asks."""
        return str(self.request.asker)

    @property
    def is_own(self) -> bool:
        """Whether an account asks its own service."""
        return self.service.is_personal and self.asker == self.service.address

    @property
    def limits(self) -> Limits:
        """The bounds of the service."""
        return limits_of(self.host, self.service)

    async def node(self, element: _Element) -> Node:
        """The node that `element` names; raises StanzaError (item-not-found, gone)."""
        return await self.nodes.get(self.service, node_name(element))

    async def owned(self, element: _Element) -> Node:
        """The node that `element` names, for an owner of it; raises StanzaError (item-not-found, forbidden)."""
        name = node_name(element)
        if self.service.is_personal and not self.is_own:
            # Who is not the owner for certain does not learn which nodes an account has.
            raise StanzaError(StanzaCondition.FORBIDDEN)
        node = await self.nodes.get(self.service, name)
        if node.affiliation(self.asker) is not Affiliation.OWNER:
            raise StanzaError(StanzaCondition.FORBIDDEN)
        return node

    def refuse_some(self, error: StanzaError, payload: bytes) -> None:
        """Answer with an error that has a payload: what was not changed (§8.8.2.4, §8.9.2.4)."""
        request = self.request
        attrs = {"type": "error", "id": request.element.id, "from": str(request.to), "to": str(request.sender)}
        request.origin.answer(xml("iq", attrs, payload, error.to_bytes()))


def asked(request: IqRequest) -> Asked:
    """The request and the service that it is for."""
    if request.account is not None:
        return Asked(request, service_of(request.account))
    return Asked(request, PubsubService(request.to.domain))


def service_of(account: Account) -> PubsubService:
    """An account as a service."""
    return PubsubService(account.address, account.id)


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


def jid_of(element: _Element, missing: str) -> JID:
    """The address in the attribute `jid`; raises StanzaError (bad-request) with `missing` where there is none."""
    text = element.get("jid", "")
    if not text:
        raise refusal(StanzaCondition.BAD_REQUEST, missing)
    try:
        return JID.parse(text)
    except RemoteProtocolError as error:
        raise refusal(StanzaCondition.BAD_REQUEST, "invalid-jid") from error


def form_in(parent: _Element | None, form_type: str) -> Form | None:
    """The form in an element; raises PayloadError for one of another type."""
    form = None if parent is None else find_form(parent)
    if form is not None and form.form_type not in ("", form_type):
        raise PayloadError("a form of another type")
    return form
