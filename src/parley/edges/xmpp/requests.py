"""Requests (RFC 6120 §8.2.3): to an extension of ours, to a service, or on to another client or server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from parley.edges.xmpp.clients.session import Session
from parley.edges.xmpp.extension import ANY_SERVICE, Extension, Inbound, IqHandler, IqRequest, Target
from parley.edges.xmpp.people.blocking import check_inbound, is_blocked
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import (
    PayloadError,
    StanzaCondition,
    StanzaError,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin

_Key = tuple[str, str, str, Target, str]


def handlers_of(extensions: Iterable[Extension]) -> Mapping[_Key, IqHandler]:
    """All handlers by type, namespace, name, target and service.

    Raises:
        ValueError: two extensions answer the same request.
    """
    table: dict[_Key, IqHandler] = {}
    for extension in extensions:
        for handler in extension.iq:
            for target in handler.targets:
                service = handler.service if target is Target.SERVER else ""
                key = (handler.type, handler.namespace, handler.name, target, service)
                if key in table:
                    raise ValueError(f"{extension.spec} answers {key}, which is answered already")
                table[key] = handler
    return table


class Requests:
    """Finds who answers a request."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._handlers = handlers_of(host.extensions)

    def receive(self, origin: Origin, element: Element, token: int) -> None:
        """Handle an iq.

        Raises:
            StanzaError: it is malformed or nobody answers it; RemoteProtocolError: its address is malformed.
        """
        kind = element.type
        if kind in ("get", "set"):
            # RFC 6120 §8.2.3: a request MUST have an id and exactly one child.
            if not element.id or len(element.children) != 1:
                raise StanzaError(StanzaCondition.BAD_REQUEST, "a request has an id and one child")
            self._request(origin, element, token)
        elif kind in ("result", "error"):
            self._response(origin, element, token)
        else:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "unknown type of iq")

    def _request(self, origin: Origin, element: Element, token: int) -> None:
        host, sender = self._host, origin.sender(element)
        to = JID.parse(element.to) if element.to else sender.bare
        if not host.router.is_local(to):
            host.abroad(to.domain).send(origin.stamped(element, to=str(to)), sender, to)
            if origin.owner is not None:
                host.acquaintances.asked(origin.owner, to)
            origin.handled(token)
        elif to.is_full and host.router.is_account(to):
            if not self._forward(origin, element, to):
                raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
            origin.handled(token)
        else:
            origin.run(self._answer(origin, element, to), element, token)

    def _response(self, origin: Origin, element: Element, token: int) -> None:
        router = self._host.router
        if self._host.queries.came(str(origin.sender(element)), element):
            origin.handled(token)
            return
        to = JID.parse(element.to) if element.to else None
        if to is not None and router.service(to.domain):
            origin.run(self._to_service(origin, element, to), element, token)
            return
        if to is not None and router.is_local(to):
            self._forward(origin, element, to)
        elif to is not None:
            self._host.post.send(origin.stamped(element, to=str(to)), to)
        origin.handled(token)

    def _forward(self, origin: Origin, element: Element, to: JID) -> bool:
        target = self._host.router.find(to)
        if target is None or is_blocked(target.blocks, target.account, origin.sender(element)):
            return False
        target.send(origin.stamped(element, to=str(to)))
        return True

    def bounce(self, stanza: bytes) -> None:
        """A stanza sent to a client that is gone was never acknowledged: if it was a request, its sender is told.

        XEP-0198 §5: what is unacknowledged at the end is treated as if the client had not been there.
        """
        if not stanza.startswith(b"<iq "):
            return
        try:
            element = Element.from_bytes(stanza)
        except PayloadError:
            return  # it was passed on without a look inside
        if element.from_ and may_be_answered(element):
            error = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
            self._host.post.send(error_reply(element, error), JID.parse(element.from_))

    async def _answer(self, origin: Origin, element: Element, to: JID) -> None:
        payload = element.children[0]
        handler, target = self._handler(origin, element, to)
        if handler is None and self._host.router.service(to.domain):
            await self._to_service(origin, element, to)
            return
        if handler is None or not (handler.for_strangers or isinstance(origin, Session)):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        account = None
        if target is Target.ACCOUNT:
            account = origin.owner
        elif target is Target.CONTACT:
            account = await self._host.stores.directory.find(str(to))
            if account is None:
                # RFC 6121 §8.5.1; whether one that is there answers the same to strangers is for its handler to say.
                raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
            check_inbound(await self._host.blocking.get(account.id), account, origin.sender(element))
        request = IqRequest(self._host, origin, origin.sender(element), element, payload, target, to, account)
        result = await handler.handle(request)
        if result is not None:
            request.answer(result)

    async def relayed(self, origin: Origin, element: Element, sender: JID, to: JID) -> bytes | None:
        """What an account of ours answers to a request that a service hands on.

        Args:
            origin: where the request came from.
            element: the request.
            sender: in whose name it is handed on.
            to: the bare address of the account.

        Raises:
            StanzaError: nobody answers such requests, or not to strangers.
        """
        payload = element.children[0]
        handler = self._handlers.get((element.type or "", payload.namespace, payload.name, Target.CONTACT, ""))
        account = await self._host.stores.directory.find(str(to))
        if handler is None or not handler.for_strangers or account is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        check_inbound(await self._host.blocking.get(account.id), account, sender)
        return await handler.handle(
            IqRequest(self._host, origin, sender, element, payload, Target.CONTACT, to, account)
        )

    def _handler(self, origin: Origin, element: Element, to: JID) -> tuple[IqHandler | None, Target]:
        """Who of the extensions answers a request, and as what it addresses."""
        payload, router = element.children[0], self._host.router
        target, service = Target.SERVER, ""
        if origin.owner is not None and str(to) == origin.owner.address:
            target = Target.ACCOUNT
        elif router.is_account(to):
            target = Target.CONTACT
        else:
            service = router.service(to.domain) or ""
            if service and (to.local or to.resource):
                return None, target
        key = (element.type or "", payload.namespace, payload.name, target)
        return self._handlers.get((*key, service)) or self._handlers.get((*key, ANY_SERVICE)), target

    async def _to_service(self, origin: Origin, element: Element, to: JID) -> None:
        sender = origin.sender(element)
        result = await self._host.services.iq(Inbound(self._host, origin, element, sender, to))
        if result is not None:
            attrs = {"type": "result", "id": element.id, "from": element.to, "to": str(sender)}
            origin.answer(xml("iq", attrs, result))
