"""Guests: devices of people of other servers who have shown an account of ours their presence (XEP-0060 §9.1).

What is known of them is the nodes that they want to hear of. They are forgotten when they say that they are gone, and
when there are too many of them, those who came first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_MAX_ACCOUNTS: Final = 20_000
_MAX_EACH: Final = 1_000
_NOBODY: Final[Mapping[JID, frozenset[str]]] = MappingProxyType({})


class Guests:
    """The guests of each account and the nodes that they asked for."""

    def __init__(self, _host: Host) -> None:
        self._accounts: OrderedDict[int, OrderedDict[JID, frozenset[str]]] = OrderedDict()

    def of(self, account_id: int) -> Mapping[JID, frozenset[str]]:
        """The nodes that each guest of an account asked for; not to be changed."""
        return self._accounts.get(account_id, _NOBODY)

    def came(self, account_id: int, guest: JID) -> None:
        """A guest is there, who may ask for something."""
        guests = self._accounts.setdefault(account_id, OrderedDict())
        self._accounts.move_to_end(account_id)
        guests.setdefault(guest, frozenset())
        guests.move_to_end(guest)
        while len(guests) > _MAX_EACH:
            guests.popitem(last=False)
        while len(self._accounts) > _MAX_ACCOUNTS:
            self._accounts.popitem(last=False)

    def asks(self, account_id: int, guest: JID, nodes: frozenset[str]) -> frozenset[str]:
        """A guest asks for these nodes; returns those that are new. Nothing for one that is gone."""
        guests = self._accounts.get(account_id)
        if guests is None or guest not in guests:
            return frozenset()
        news = nodes - guests[guest]
        guests[guest] = nodes
        return news

    def left(self, account_id: int, guest: JID) -> None:
        """A guest is gone."""
        guests = self._accounts.get(account_id)
        if guests is not None:
            guests.pop(guest, None)
            if not guests:
                del self._accounts[account_id]
