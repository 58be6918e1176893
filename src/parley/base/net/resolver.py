"""Where a domain's servers are: SRV records (RFC 6120 §3.2, XEP-0368), then addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import idna
from dns.rdtypes.IN.SRV import SRV

from parley.base.errors import ParleyError
from parley.base.net.service_records import ServiceRecord, in_order

_DEFAULT_PORT: Final = 5269
_MOST_RECORDS: Final = 64
_MOST_TARGETS: Final = 8
_MOST_ADDRESSES: Final = 8


class ResolveError(ParleyError):
    """A name could not be resolved; another time it may be."""

    def __init__(self, message: str, code: str = "dns-failed") -> None:
        super().__init__(code, message)


class NoSuchServiceError(ResolveError):
    """The name system says that there is no such server."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "dns-no-service")


@dataclass(frozen=True, slots=True)
class Target:
    """A server to try. `is_tls`: TLS from the first byte; `is_guessed`: no record names it (RFC 6120 §3.2.2)."""

    host: str
    port: int
    is_tls: bool = False
    is_guessed: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Resolver(Protocol):
    """Finds servers."""

    async def servers(self, domain: str) -> Sequence[Target]:
        """The servers of an XMPP domain for other servers, in the order to try them.

        Raises:
            NoSuchServiceError, ResolveError
        """
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """The IP addresses of a host, those to prefer first.

        Raises:
            NoSuchServiceError, ResolveError
        """
        ...


class DnsResolver:
    """Asks name servers.

    Args:
        nameservers: IP addresses and ports to ask; without any, what the machine is configured for is used, its hosts
            file included.
        timeout_s: time for one question with its repetitions.
        chance: see `in_order`.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]],
        timeout_s: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._timeout_s = timeout_s
        self._chance = chance
        self._is_own = bool(nameservers)
        self._given = [dns.nameserver.Do53Nameserver(host, port) for host, port in nameservers]
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def servers(self, domain: str) -> Sequence[Target]:
        """See `Resolver.servers`."""
        literal = _literal(domain)
        if literal:
            return (Target(literal, _DEFAULT_PORT, is_guessed=True),)
        name = _ascii(domain)
        answers = await asyncio.gather(self._records("_xmpps-server", name), self._records("_xmpp-server", name))
        found = [answer for answer in answers if isinstance(answer, list)]
        ordered = in_order([record for answer in found for record in answer], self._chance)[:_MOST_TARGETS]
        for answer in answers:
            # One kind of records is enough to come there; without any, what was not answered may have been it.
            if isinstance(answer, ResolveError) and not ordered:
                raise answer
        if not found:
            # RFC 6120 §3.2.2: without records the domain is the host.
            return (Target(name, _DEFAULT_PORT, is_guessed=True),)
        if not ordered:
            # RFC 6120 §3.2.1: the one target "." says that there is no such service; XEP-0368 §4: also in one of the
            # two kinds, so that the domain itself MUST NOT be tried.
            raise NoSuchServiceError(f"{domain} offers no service to other servers")
        return [Target(record.target, record.port, record.is_tls) for record in ordered]

    async def addresses(self, host: str) -> Sequence[str]:
        """See `Resolver.addresses`."""
        literal = _literal(host)
        if literal:
            return (literal,)
        if not self._is_own:
            return await self._from_machine(host)
        six, four = await asyncio.gather(self._query(host, "AAAA"), self._query(host, "A"), return_exceptions=True)
        found = [str(item) for answer in (six, four) if not isinstance(answer, BaseException) for item in answer or ()]
        if found:
            return interleaved(found)
        for answer in (six, four):
            if isinstance(answer, BaseException):
                raise answer
        raise NoSuchServiceError(f"{host} has no address")

    async def _from_machine(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                infos = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise ResolveError(f"no answer about {host} in time") from error
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                raise NoSuchServiceError(f"{host} has no address") from error
            raise ResolveError(f"{host} cannot be resolved: {error.strerror}") from error
        return interleaved(list(dict.fromkeys(str(info[4][0]) for info in infos)))

    async def _records(self, service: str, name: str) -> list[ServiceRecord] | ResolveError | None:
        """The records, or None when there are none, or why nobody knows."""
        try:
            answer = await self._query(f"{service}._tcp.{name}", "SRV")
        except ResolveError as error:
            return error
        if answer is None:
            return None
        is_tls = service == "_xmpps-server"
        return [
            ServiceRecord(item.priority, item.weight, item.port, item.target.to_text(omit_final_dot=True), is_tls)
            if item.target != dns.name.root
            else ServiceRecord(item.priority, item.weight, item.port, "", is_tls)
            for item in answer
            if isinstance(item, SRV)
        ]

    async def _query(self, name: str, kind: str) -> Sequence[object] | None:
        """The records, or None when there are none."""
        try:
            answer = await self._configured().resolve(
                name, kind, search=False, lifetime=self._timeout_s, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise ResolveError(f"{name} {kind} cannot be resolved: {type(error).__name__}") from error
        records = list(answer.rrset or ())[:_MOST_RECORDS]
        return records or None

    def _configured(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._is_own)
            if self._is_own:
                resolver.nameservers = list(self._given)
            resolver.cache = dns.resolver.LRUCache()
            self._resolver = resolver
        return self._resolver


def interleaved(addresses: Sequence[str]) -> list[str]:
    """Addresses with the families in turn, beginning with the first one's (RFC 8305 §4)."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    mixed = [one for pair in zip(first, second, strict=False) for one in pair]
    return [*mixed, *first[len(second) :], *second[len(first) :]][:_MOST_ADDRESSES]


def _literal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return ""


def _ascii(domain: str) -> str:
    try:
        return idna.encode(domain).decode()
    except idna.IDNAError as error:
        raise NoSuchServiceError(f"{domain} is no host name") from error
