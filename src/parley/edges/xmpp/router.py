"""Where everybody is: the sessions by address."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session

_NOBODY: Final[Mapping[str, Session]] = MappingProxyType({})


class Router:
    """All sessions, detached ones included.

    Args:
        domains: the domains served here.
        services: keys of the services below each domain, such as `upload`, by the first label of their addresses.
    """

    def __init__(self, domains: Collection[str], services: Mapping[str, str]) -> None:
        self._domains = frozenset(domains)
        self._services = {f"{label}.{domain}": service for label, service in services.items() for domain in domains}
        self._sessions: dict[str, dict[str, Session]] = {}
        self.count = 0

    def is_local(self, jid: JID) -> bool:
        """Whether the address is ours: an account's, a domain's or a service's."""
        return jid.domain in self._domains or jid.domain in self._services

    def is_account(self, jid: JID) -> bool:
        """Whether the address is one that an account of ours could have."""
        return bool(jid.local) and jid.domain in self._domains

    def service(self, domain: str) -> str | None:
        """The service on a subdomain, "" for a domain itself, None for what is not ours."""
        return "" if domain in self._domains else self._services.get(domain)

    def services(self, domain: str) -> Mapping[str, str]:
        """The services below one of our domains: keys by address."""
        return {at: key for at, key in self._services.items() if at.partition(".")[2] == domain}

    def of(self, address: str) -> Mapping[str, Session]:
        """The sessions of an account by resource."""
        return self._sessions.get(address, _NOBODY)

    def find(self, jid: JID) -> Session | None:
        """The session with this full address."""
        return self.of(str(jid.bare)).get(jid.resource)

    def add(self, session: Session) -> None:
        """A resource was bound."""
        self._sessions.setdefault(session.account.address, {})[session.jid.resource] = session
        self.count += 1

    def remove(self, session: Session) -> None:
        """The session is over; one that took its resource over stays."""
        sessions = self._sessions.get(session.account.address, {})
        if sessions.get(session.jid.resource) is session:
            del sessions[session.jid.resource]
            self.count -= 1
            if not sessions:
                del self._sessions[session.account.address]

    def available(self, address: str) -> list[Session]:
        """The sessions that have sent presence."""
        return [session for session in self.of(address).values() if session.presence is not None]

    def mail_ready(self, address: str) -> list[Session]:
        """The sessions that take messages for the bare address: those of the highest priority that is not negative.

        RFC 6121 §8.5.2.1.1: the most available resources; ours are those with the highest priority.
        """
        ready: list[Session] = []
        highest = 0
        for session in self.of(address).values():
            presence = session.presence
            if presence is None or presence.priority < highest:
                continue
            if presence.priority > highest:
                ready.clear()
                highest = presence.priority
            ready.append(session)
        return ready

    def __iter__(self) -> Iterator[Session]:
        return (session for sessions in list(self._sessions.values()) for session in list(sessions.values()))
