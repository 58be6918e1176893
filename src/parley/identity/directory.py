"""Local accounts in memory, for every message's look-up of its recipient."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.ports import AccountStore

_KEPT: Final = 100_000


class Directory:
    """A bounded cache in front of the account store. Addresses that do not exist are not kept."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._cache: OrderedDict[str, Account] = OrderedDict()

    def cached(self, address: str) -> Account | None:
        """The account if it is in memory."""
        return self._cache.get(address)

    async def find(self, address: str) -> Account | None:
        """The account, from memory or the store."""
        account = self._cache.get(address)
        if account is None:
            account = await self._accounts.find(address)
            if account is not None:
                self._cache[address] = account
                if len(self._cache) > _KEPT:
                    self._cache.popitem(last=False)
        return account

    def forget(self, address: str) -> None:
        """The account was changed or removed."""
        self._cache.pop(address, None)
