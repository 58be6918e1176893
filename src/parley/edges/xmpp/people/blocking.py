"""Who blocks whom (XEP-0191): the lists in memory while somebody needs them, and what they mean for stanzas.

Every session holds the list of its account from the moment it is bound, so that whoever blocks nobody pays one look at
an empty list. What goes out to somebody blocked is refused when it comes in (`Session.admits`), what would reach a
session from somebody blocked ends at its door (`Session.send`), whoever sent it. Beside that, who writes or asks is
told that nobody is there, and who is blocked is told no presence and no event.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from html import unescape
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from parley.domain.people.blocking import NOBODY, BlockList, Complaint
from parley.protocols.xmpp.element import opening_tag_end, xml
from parley.protocols.xmpp.errors import JIDError, StanzaCondition, StanzaError, StanzaErrorType
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

_NS_ERRORS: Final = "urn:xmpp:blocking:errors"
_KEPT: Final = 100_000
_FROM: Final = re.compile(rb"""\sfrom\s*=\s*("[^"]*"|'[^']*')""")


class Blocking:
    """The lists of accounts, cached."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lists: OrderedDict[int, BlockList] = OrderedDict()
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def known(self, account_id: int) -> BlockList | None:
        """The list if it is in memory."""
        return self._lists.get(account_id)

    async def get(self, account_id: int) -> BlockList:
        """The list; raises StorageUnavailable."""
        known = self._lists.get(account_id)
        if known is None:
            async with self._lock(account_id):
                known = await self._current(account_id)
        return known

    def forget(self, account_id: int) -> None:
        """The account is gone, or its list was changed from outside."""
        self._lists.pop(account_id, None)

    async def block(self, account: Account, addresses: Sequence[str], complaints: Sequence[Complaint]) -> BlockList:
        """Block addresses in normal form; returns the list as it was.

        Raises:
            LimitReached: "too-many-blocked"; nothing was changed.
        """
        host, limits = self._host, self._host.settings.personal
        async with self._lock(account.id):
            before = await self._current(account.id)
            await host.stores.blocks.block(
                account.id,
                addresses,
                complaints,
                host.clock.now_us(),
                limit=limits.max_blocked,
                reports_kept=limits.max_reports,
            )
            self._set(account, BlockList((*before.addresses, *addresses)))
        return before

    async def unblock(self, account: Account, addresses: Sequence[str] | None) -> BlockList:
        """Block these addresses no longer (None: any); returns the list as it was."""
        async with self._lock(account.id):
            before = await self._current(account.id)
            gone = await self._host.stores.blocks.unblock(account.id, addresses)
            left = [address for address in before.addresses if address not in gone]
            self._set(account, BlockList(left) if left else NOBODY)
        return before

    async def _current(self, account_id: int) -> BlockList:
        known = self._lists.get(account_id)
        return await self._load(account_id) if known is None else known

    async def _load(self, account_id: int) -> BlockList:
        addresses = await self._host.stores.blocks.blocked(account_id)
        # Most block nobody, and share one list.
        loaded = self._lists[account_id] = BlockList(addresses) if addresses else NOBODY
        while len(self._lists) > _KEPT:
            self._lists.popitem(last=False)
        return loaded

    def _set(self, account: Account, blocks: BlockList) -> None:
        self._lists[account.id] = blocks
        for session in self._host.router.of(account.address).values():
            session.blocks = blocks

    def _lock(self, account_id: int) -> asyncio.Lock:
        # It is in the table for as long as somebody holds or awaits it.
        lock = self._locks.get(account_id)
        if lock is None:
            lock = self._locks[account_id] = asyncio.Lock()
        return lock


def is_blocked(blocks: BlockList, owner: Account, other: JID) -> bool:
    """Whether `owner`, whose list is `blocks`, has nothing to do with an address.

    Nobody blocks themselves or the server they use: they could not take it back.
    """
    if not blocks:
        return False
    bare = str(other.bare)
    if bare in (owner.address, owner.domain):
        return False
    return blocks.covers(str(other), bare, other.domain)


def is_from_blocked(blocks: BlockList, owner: Account, stanza: bytes) -> bool:
    """Whether a complete stanza comes from somebody blocked."""
    match = _FROM.search(stanza, 0, opening_tag_end(stanza, 0))
    if match is None:
        return False
    try:
        return is_blocked(blocks, owner, JID.parse(unescape(match[1][1:-1].decode())))
    except JIDError:
        return False


def check_outbound(blocks: BlockList, owner: Account, to: JID) -> None:
    """Raise StanzaError where the owner writes to somebody they block (XEP-0191 §3.3)."""
    if is_blocked(blocks, owner, to):
        application = xml("blocked", {"xmlns": _NS_ERRORS})
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, type=StanzaErrorType.CANCEL, application=application)


def check_inbound(blocks: BlockList, owner: Account, sender: JID) -> None:
    """Raise StanzaError where somebody blocked writes to the owner: as if nobody was there (XEP-0191 §3.3)."""
    if is_blocked(blocks, owner, sender):
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
