"""Rosters in memory while somebody needs them, changed one account at a time, pushed to who asked (RFC 6121 §2)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from parley.domain.contacts import Contact, Roster, RosterEdit
from parley.domain.relations import Outcome
from parley.protocols.xmpp.element import text, xml
from parley.protocols.xmpp.namespaces import NS_ROSTER

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class RosterUpdate:
    """What becomes of the contact `address` of an account; None where there was or is none."""

    account: Account
    address: str
    before: Contact | None
    after: Contact | None


PairChange = Callable[[Contact | None, Contact | None, bool], Outcome]
"""Decides what becomes of the items that two accounts have of each other; see `Rosters.update_both`."""


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
        self,
        account: Account,
        address: str,
        change: Callable[[Contact | None], Contact | None],
        deliver: Callable[[], None] | None = None,
        *,
        is_told_anyway: bool = False,
    ) -> RosterUpdate:
        """Change a contact: `change` gets what there is and returns what there is to be, None for nothing.

        Clients that asked for the roster are told of a change that they can see, after `deliver` was called; with
        `is_told_anyway` also when there is none.

        Raises:
            LimitReached: the roster is full.
        """
        async with self._lock(account.id):
            before = (await self._current(account)).contacts.get(address)
            update = RosterUpdate(account, address, before, change(before))
            await self._commit(update)
            if deliver is not None:
                deliver()
            self._push(update, is_told_anyway=is_told_anyway)
        return update

    async def update_both(
        self, account: Account, other: Account, change: PairChange, deliver: Callable[[Outcome, RosterUpdate], None]
    ) -> tuple[RosterUpdate, RosterUpdate]:
        """Change what two accounts have of each other, both or neither.

        Args:
            account: the one whose user decides.
            other: the contact.
            change: gets both items and whether the contact's roster has room for one more that is not listed.
            deliver: called with what became of it, and of the item of `account`, when the change is committed, before
                clients are told of their rosters.

        Raises:
            LimitReached: a roster is full, and nothing was changed.
        """
        first, second = sorted((account.id, other.id))
        async with self._lock(first), self._lock(second):
            own = (await self._current(account)).contacts.get(other.address)
            their_contacts = (await self._current(other)).contacts
            theirs = their_contacts.get(account.address)
            unlisted = sum(not contact.is_listed for contact in their_contacts.values())
            outcome = change(own, theirs, unlisted < self._host.settings.limits.max_roster_items)
            updates = (
                RosterUpdate(account, other.address, own, outcome.own),
                RosterUpdate(other, account.address, theirs, outcome.theirs),
            )
            await self._commit(*updates)
            # RFC 6121 §3.1.6, §3.2.3, §3.3.3: the stanza MUST be delivered before the roster push.
            deliver(outcome, updates[0])
            for update in updates:
                self._push(update)
        return updates

    async def has_room_for_strangers(self, account: Account) -> bool:
        """Whether one more request of somebody who is not in the roster may wait there."""
        contacts = (await self.get(account.id)).contacts.values()
        return sum(not contact.is_listed for contact in contacts) < self._host.settings.limits.max_roster_items

    async def _current(self, account: Account) -> Roster:
        return self._cache.get(account.id) or await self._load(account.id)

    async def _commit(self, *updates: RosterUpdate) -> None:
        """Store what changes, all or nothing, and keep it in mind."""
        changed = [update for update in updates if update.after != update.before]
        if not changed:
            return
        rosters = [await self._current(update.account) for update in changed]
        edits = [RosterEdit(update.account.id, update.address, update.after) for update in changed]
        versions = await self._host.stores.rosters.edit(edits, self._host.settings.limits.max_roster_items)
        for update, roster, version in zip(changed, rosters, versions, strict=True):
            contacts = dict(roster.contacts)
            contacts.pop(update.address, None)
            if update.after is not None:
                contacts[update.address] = update.after
            self._cache[update.account.id] = Roster(version, contacts)
        for update in changed:
            for extension in self._host.extensions:
                if extension.on_contact_changed is not None:
                    extension.on_contact_changed(self._host, update)

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

    def _push(self, update: RosterUpdate, *, is_told_anyway: bool = False) -> None:
        before, item = _seen(update.before), _seen(update.after)
        if item == before and not is_told_anyway:
            # What is kept of requests is nothing that a client sees.
            return
        if item is None:
            item = xml("item", {"jid": update.address, "subscription": "remove"})
        query = xml("query", {"xmlns": NS_ROSTER, "ver": str(self._cache[update.account.id].version)}, item)
        for session in list(self._host.router.of(update.account.address).values()):
            if session.is_roster_requested:
                attrs = {"type": "set", "id": self._host.new_id(), "to": str(session.jid)}
                session.send(xml("iq", attrs, query))


def _seen(contact: Contact | None) -> bytes | None:
    return roster_item(contact) if contact is not None and contact.is_listed else None


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
