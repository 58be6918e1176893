"""Finding a partner's server and coming to a stream with it, host after host."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.base.net.connecting import connect
from parley.base.net.resolver import NoSuchServiceError, ResolveError, Resolver, Target
from parley.base.net.stream import StreamDriver
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.outgoing import OutgoingConnection, server_name, tls_problem
from parley.edges.xmpp.federation.ports import Pair, Permission, Refusal
from parley.protocols.xmpp.dialback import Dialback
from parley.protocols.xmpp.errors import StanzaCondition

if TYPE_CHECKING:
    from parley.edges.xmpp.federation.federation import Federation

log = logs.get(__name__)


class Dialer:
    """Opens connections to other servers.

    Args:
        federation: whose.
        resolver: tells where they are.
    """

    def __init__(self, federation: Federation, resolver: Resolver) -> None:
        self._federation = federation
        self._resolver = resolver

    async def stream(self, pair: Pair) -> OutgoingConnection:
        """A stream on which we are authenticated; raises Unreachable."""
        permission = self._federation.policy.outgoing(pair.remote)
        if isinstance(permission, Refusal):
            raise _refused(permission)
        connection, _by = await self._any(pair, permission, None)
        return connection

    async def verify(self, question: Dialback, permission: Permission) -> str:
        """The answer, `valid` or otherwise, of the server that answers for the domain; raises Unreachable."""
        pair = Pair(question.sender, question.to)
        _connection, answer = await self._any(pair, permission, question)
        return answer

    async def _any(
        self, pair: Pair, permission: Permission, question: Dialback | None
    ) -> tuple[OutgoingConnection, str]:
        last = Unreachable("dns-no-service", "no target", StanzaCondition.REMOTE_SERVER_NOT_FOUND, is_final=True)
        for target in await self._targets(pair.remote):
            try:
                return await self._with(target, pair, permission, question)
            except Unreachable as problem:
                log.info(
                    "a partner's host was tried in vain",
                    partner=pair.remote,
                    host=str(target),
                    code=problem.code,
                    reason=problem.message,
                )
                last = problem
        raise last

    async def _targets(self, domain: str) -> list[Target]:
        try:
            return list(await self._resolver.servers(domain))
        except ResolveError as error:
            raise _unresolved(error) from error

    async def _with(
        self, target: Target, pair: Pair, permission: Permission, question: Dialback | None
    ) -> tuple[OutgoingConnection, str]:
        tls = self._federation.tls
        try:
            return await self._try(target, pair, tls.connecting, question, is_any_certificate=False)
        except Unreachable as problem:
            if not (permission.is_dialback_allowed and problem.code.startswith("certificate-")):
                raise
        # The name system alone says who that is; so it was agreed with this partner.
        return await self._try(target, pair, tls.connecting_anywhere, question, is_any_certificate=True)

    async def _try(
        self,
        target: Target,
        pair: Pair,
        context: ssl.SSLContext,
        question: Dialback | None,
        *,
        is_any_certificate: bool,
    ) -> tuple[OutgoingConnection, str]:
        settings = self._federation.host.settings.federation
        connected = await self._connected(target, settings.connect_timeout_s)
        connection = OutgoingConnection(
            self._federation, pair, context, is_any_certificate=is_any_certificate, question=question
        )
        self._federation.opened(connection)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.negotiate_timeout_s):
                await loop.create_connection(
                    lambda: StreamDriver(lambda _peer: connection),
                    sock=connected,
                    ssl=context if target.is_tls else None,
                    server_hostname=server_name(pair.remote) if target.is_tls else None,
                )
                return connection, await connection.outcome
        except TimeoutError as error:
            raise Unreachable("timeout", "no stream came about in time") from error
        except OSError as error:
            connected.close()
            raise tls_problem(error) from error
        finally:
            if not connection.outcome.done() or connection.outcome.cancelled() or connection.outcome.exception():
                connection.abort()
                self._federation.forget(connection)

    async def _connected(self, target: Target, timeout_s: float) -> socket.socket:
        # RFC 6120 §8.3.3.16: nobody at the address that is tried for want of SRV records means no such server.
        not_found, timeout = StanzaCondition.REMOTE_SERVER_NOT_FOUND, StanzaCondition.REMOTE_SERVER_TIMEOUT
        condition = not_found if target.is_guessed else timeout
        try:
            addresses = await self._resolver.addresses(target.host)
            return await connect(addresses, target.port, timeout_s)
        except ResolveError as error:
            raise _unresolved(error) from error
        except TimeoutError as error:
            raise Unreachable("connection-failed", "no answer in time", condition) from error
        except OSError as error:
            raise Unreachable("connection-failed", error.strerror or str(error), condition) from error


def _unresolved(error: ResolveError) -> Unreachable:
    if isinstance(error, NoSuchServiceError):
        return Unreachable(error.code, error.message, StanzaCondition.REMOTE_SERVER_NOT_FOUND, is_final=True)
    return Unreachable(error.code, error.message)


def _refused(refusal: Refusal) -> Unreachable:
    return Unreachable(refusal.rule, refusal.text, refusal.condition, is_final=True, text=refusal.text)
