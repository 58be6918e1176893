"""Guests: devices that have shown an account of ours their presence by sending it there (XEP-0060 §9.1).

They are those of people of other servers, and of people of ours who are no contacts. What is known of them is the nodes
that they want to hear of. They are forgotten when they say that they are gone, and when there are too many of them,
those who came first. Strangers never take the place of contacts, and nobody's many devices that of others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.jid import JID

MAX_CONTACTS: Final = 1000
"""Devices of contacts that one account remembers."""
MAX_STRANGERS: Final = 100
"""Devices of others."""
MAX_DEVICES: Final = 20
"""Devices of one person."""

_MAX_ACCOUNTS: Final = 20_000


@dataclass(slots=True)
class _Visitors:
    """Those of one account: the nodes that each asked for, who came first in front."""

    contacts: OrderedDict[JID, frozenset[str]] = field(default_factory=OrderedDict)
    strangers: OrderedDict[JID, frozenset[str]] = field(default_factory=OrderedDict)

    def holding(self, guest: JID) -> OrderedDict[JID, frozenset[str]] | None:
        """Where a guest is, None for one that is not there."""
        return next((group for group in (self.contacts, self.strangers) if guest in group), None)


class Guests:
    """The guests of each account and the nodes that they asked for."""

    def __init__(self, _host: Host) -> None:
        self._accounts: OrderedDict[int, _Visitors] = OrderedDict()

    def of(self, account_id: int) -> list[tuple[JID, frozenset[str]]]:
        """The nodes that each guest of an account asked for."""
        visitors = self._accounts.get(account_id)
        return [] if visitors is None else [*visitors.contacts.items(), *visitors.strangers.items()]

    def is_here(self, account_id: int, guest: JID) -> bool:
        """Whether a guest has come and not gone."""
        visitors = self._accounts.get(account_id)
        return visitors is not None and visitors.holding(guest) is not None

    def came(self, account_id: int, guest: JID, *, is_contact: bool) -> None:
        """A guest is there, who may ask for something."""
        visitors = self._accounts.setdefault(account_id, _Visitors())
        self._accounts.move_to_end(account_id)
        known = visitors.holding(guest)
        nodes = frozenset[str]() if known is None else known.pop(guest)
        group = visitors.contacts if is_contact else visitors.strangers
        group[guest] = nodes
        if known is None:
            devices = [other for other in group if other.bare == guest.bare]
            if len(devices) > MAX_DEVICES:
                del group[devices[0]]
        while len(group) > (MAX_CONTACTS if is_contact else MAX_STRANGERS):
            group.popitem(last=False)
        while len(self._accounts) > _MAX_ACCOUNTS:
            self._accounts.popitem(last=False)

    def asks(self, account_id: int, guest: JID, nodes: frozenset[str]) -> frozenset[str]:
        """A guest asks for these nodes; returns those that are new. Nothing for one that is gone."""
        visitors = self._accounts.get(account_id)
        group = None if visitors is None else visitors.holding(guest)
        if group is None:
            return frozenset()
        news = nodes - group[guest]
        group[guest] = nodes
        return news

    def left(self, account_id: int, guest: JID) -> None:
        """A guest is gone."""
        visitors = self._accounts.get(account_id)
        group = None if visitors is None else visitors.holding(guest)
        if visitors is None or group is None:
            return
        del group[guest]
        if not visitors.contacts and not visitors.strangers:
            del self._accounts[account_id]
