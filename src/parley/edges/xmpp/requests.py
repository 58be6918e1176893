"""Requests from clients (RFC 6120 §8.2.3): to an extension of ours, or on to another client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import ANY_SERVICE, Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.element import Element
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
    from parley.edges.xmpp.session import Session

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

    def from_client(self, session: Session, element: Element, token: int) -> None:
        """Handle an iq.

        Raises:
            StanzaError: it is malformed or nobody answers it; RemoteProtocolError: its address is malformed.
        """
        kind = element.type
        if kind in ("get", "set"):
            # RFC 6120 §8.2.3: a request MUST have an id and exactly one child.
            if not element.id or len(element.children) != 1:
                raise StanzaError(StanzaCondition.BAD_REQUEST, "a request has an id and one child")
            self._request(session, element, token)
        elif kind in ("result", "error"):
            if element.to:
                self._forward(session, element, JID.parse(element.to))
            session.handled(token)
        else:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "unknown type of iq")

    def _request(self, session: Session, element: Element, token: int) -> None:
        router = self._host.router
        to = JID.parse(element.to) if element.to else session.jid.bare
        if not router.is_local(to):
            raise StanzaError(StanzaCondition.REMOTE_SERVER_NOT_FOUND)
        if to.is_full and to.local:
            if not self._forward(session, element, to):
                raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
            session.handled(token)
            return
        session.run(self._answer(session, element, to), element, token)

    def _forward(self, session: Session, element: Element, to: JID) -> bool:
        target = self._host.router.find(to)
        if target is not None:
            target.send(session.stamped(element, to=str(to)))
        return target is not None

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
            asker = self._host.router.find(JID.parse(element.from_))
            if asker is not None:
                asker.send(error_reply(element, StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)))

    async def _answer(self, session: Session, element: Element, to: JID) -> None:
        payload = element.children[0]
        target, service, account = Target.SERVER, "", None
        if to == session.jid.bare:
            target, account = Target.ACCOUNT, session.account
        elif to.local:
            target = Target.CONTACT
            if not self._host.router.is_account(to):
                raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        else:
            service = self._host.router.service(to.domain) or ""
        key = (element.type or "", payload.namespace, payload.name, target)
        handler = self._handlers.get((*key, service)) or self._handlers.get((*key, ANY_SERVICE))
        if handler is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        if target is Target.CONTACT:
            account = await self._host.stores.directory.find(str(to))
            if account is None:
                # RFC 6121 §8.5.1; whether one that is there answers the same to strangers is for its handler to say.
                raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        request = IqRequest(self._host, session, element, payload, target, to, account)
        result = await handler.handle(request)
        if result is not None:
            request.answer(result)
