"""Rosters in memory while somebody needs them, changed one account at a time, pushed to who asked (RFC 6121 §2)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from parley.domain.contacts import Contact, Roster
from parley.protocols.xmpp.element import text, xml
from parley.protocols.xmpp.namespaces import NS_ROSTER

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class RosterUpdate:
    """What became of a contact; None where there was or is none."""

    before: Contact | None
    after: Contact | None


class Rosters:
    """The rosters of accounts, cached."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cache: OrderedDict[int, Roster] = OrderedDict()
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def cached(self, account_id: int) -> Roster | None:
        """The roster if it is in memory."""
        return self._cache.get(account_id)

    async def get(self, account_id: int) -> Roster:
        """The roster; not to be changed."""
        roster = self._cache.get(account_id)
        if roster is None:
            async with self._lock(account_id):
                roster = self._cache.get(account_id) or await self._load(account_id)
        if account_id in self._cache:
            self._cache.move_to_end(account_id)
        return roster

    def forget(self, account_id: int) -> None:
        """The account is gone, or its roster was changed from outside."""
        self._cache.pop(account_id, None)

    async def update(
        self, account: Account, address: str, change: Callable[[Contact | None], Contact | None]
    ) -> RosterUpdate:
        """Change a contact: `change` gets what there is and returns what there is to be, None for nothing.

        Clients that asked for the roster are told of a change that they can see.

        Raises:
            LimitReached: the roster is full.
        """
        async with self._lock(account.id):
            roster = self._cache.get(account.id) or await self._load(account.id)
            before = roster.contacts.get(address)
            after = change(before)
            if after == before:
                return RosterUpdate(before, after)
            if after is None:
                version = await self._host.stores.rosters.remove(account.id, address)
            else:
                limit = self._host.settings.limits.max_roster_items
                version = await self._host.stores.rosters.put(account.id, after, limit)
            contacts = dict(roster.contacts)
            contacts.pop(address, None)
            if after is not None:
                contacts[address] = after
            self._cache[account.id] = Roster(version, contacts)
            self._push(account, version, address, before, after)
        return RosterUpdate(before, after)

    async def _load(self, account_id: int) -> Roster:
        roster = await self._host.stores.rosters.load(account_id)
        self._cache[account_id] = roster
        while len(self._cache) > _KEPT:
            self._cache.popitem(last=False)
        return roster

    def _lock(self, account_id: int) -> asyncio.Lock:
        # It is in the table for as long as somebody holds or awaits it.
        lock = self._locks.get(account_id)
        if lock is None:
            lock = self._locks[account_id] = asyncio.Lock()
        return lock

    def _push(
        self, account: Account, version: int, address: str, before: Contact | None, after: Contact | None
    ) -> None:
        was_listed = before is not None and before.is_listed
        if after is not None and after.is_listed:
            item = roster_item(after)
        elif was_listed:
            item = xml("item", {"jid": address, "subscription": "remove"})
        else:
            return
        query = xml("query", {"xmlns": NS_ROSTER, "ver": str(version)}, item)
        for session in list(self._host.router.of(account.address).values()):
            if session.is_roster_requested:
                attrs = {"type": "set", "id": self._host.new_id(), "to": str(session.jid)}
                session.send(xml("iq", attrs, query))


def roster_item(contact: Contact) -> bytes:
    """A roster item as clients see it (RFC 6121 §2.1.2)."""
    state = contact.state
    attrs = {
        "jid": contact.address,
        "name": contact.name or None,
        "subscription": state.subscription,
        "ask": "subscribe" if state.pending_out else None,
        "approved": "true" if state.approved else None,
    }
    return xml("item", attrs, *(xml("group", None, text(group)) for group in contact.groups))
