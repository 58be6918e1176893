"""Federation put together: agreements, what waits for partners, and the streams."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from parley.app.partnering import PartnerState
from parley.base.net.resolver import DnsResolver
from parley.base.net.server_tls import ServerTls
from parley.base.net.trust_store import trusted_digests
from parley.edges.xmpp.federation.federation import Federation
from parley.edges.xmpp.federation.outbox import QueueOutbox
from parley.edges.xmpp.federation.policy import PartnerPolicy

if TYPE_CHECKING:
    from parley.base.config import Settings
    from parley.base.net.resolver import Resolver
    from parley.domain.partners.agreements import Agreement
    from parley.domain.partners.ports import OutgoingQueue, PartnerStore
    from parley.edges.xmpp.host import Host

_PURPOSE: Final = b"server dialback (XEP-0185)"


class Federating:
    """Streams to and from partners, when the settings have an address for them. An async context manager.

    Args:
        host: the XMPP edge, whose settings are those in force.
        partners: agreements.
        outgoing: what waits.
        secret: the server's.
        is_time_believed: whether the wall clock is right.
        resolver: finds servers; the name system's when not given.

    Raises:
        ConfigError: on entering, when an address, a certificate or a file of authorities cannot be used.
        StorageUnavailable: on entering.
    """

    def __init__(
        self,
        host: Host,
        partners: PartnerStore,
        outgoing: OutgoingQueue,
        *,
        secret: bytes,
        is_time_believed: Callable[[], Awaitable[bool]],
        resolver: Resolver | None = None,
    ) -> None:
        self._host = host
        self._partners = partners
        self._outgoing = outgoing
        self._secret = hmac.digest(secret, _PURPOSE, "sha256")
        self._is_time_believed = is_time_believed
        self._resolver = resolver
        self._stack = AsyncExitStack()
        self._trusted: frozenset[bytes] = frozenset()
        self.policy = PartnerPolicy(lambda: host.settings.federation, host.clock, lambda: self._trusted)
        self.streams: Federation | None = None

    async def __aenter__(self) -> Self:
        settings = self._host.settings
        if not (settings.xmpp.s2s or settings.xmpp.s2s_tls):
            return self
        self._trusted = trusted_digests(settings.federation.ca_file)
        self.policy.learn(await self._partners.all())
        outbox = QueueOutbox(
            self._outgoing,
            self._host.clock,
            self._host.supervisor,
            lambda: self._host.settings.federation,
            self._is_time_believed,
        )
        tls = ServerTls(settings.tls.certificate, settings.tls.private_key, settings.federation.ca_file)
        nameservers = [(address.host, address.port) for address in settings.federation.nameservers]
        resolver = self._resolver or DnsResolver(nameservers, settings.federation.dns_timeout_s)
        streams = Federation(self._host, self.policy, outbox, resolver=resolver, tls=tls, secret=self._secret)
        self.streams = await self._stack.enter_async_context(streams)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def drain(self) -> None:
        """End all streams."""
        if self.streams is not None:
            await self.streams.drain()

    def reload_files(self, settings: Settings) -> None:
        """Read certificates and authorities again; raises ConfigError when they cannot be used, and keeps the old."""
        if self.streams is not None:
            tls, federation = settings.tls, settings.federation
            self.streams.tls.reload(tls.certificate, tls.private_key, federation.ca_file)
            self._trusted = trusted_digests(federation.ca_file)

    def configure(self) -> None:
        """Take the settings that the host has now."""
        if self.streams is not None:
            self.streams.configure()
            self.policy.configure()

    def partners_changed(self, agreements: Sequence[Agreement]) -> int:
        """From now on these agreements hold. Streams that they do not allow end at once; returns how many did."""
        self.policy.learn(agreements)
        if self.streams is None:
            return 0
        before = self._open_streams()
        self.streams.agreements_changed()
        return before - self._open_streams()

    def partner_state(self, domain: str) -> PartnerState:
        """How things are with a partner now."""
        below = f".{domain}"
        streams = () if self.streams is None else self.streams.connections()
        count = sum(each.is_open and (each.remote == domain or each.remote.endswith(below)) for each in streams)
        return PartnerState(count, self.policy.cut_s(domain))

    def _open_streams(self) -> int:
        streams = self.streams
        return 0 if streams is None else sum(connection.is_open for connection in streams.connections())
