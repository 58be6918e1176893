"""Which number of rounds a name that does not exist pretends to have.

Passwords keep the rounds they were set with, so that accounts differ in them once the setting has changed. A name that
does not exist has to differ in the same way, or it could be told by its rounds: each draws one of the numbers in use,
as often as accounts have it, and always the same.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parley.domain.ports import AccountStore

_COUNT_EVERY_S: Final = 600.0
_HASH_BITS: Final = 64


class Rounds:
    """The rounds of names that do not exist.

    Args:
        accounts: where the rounds of those that do are.
        usual: for as long as there are no accounts.
        secret: key of the draws.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, accounts: AccountStore, usual: int, secret: bytes, monotonic: Callable[[], float]) -> None:
        self._accounts = accounts
        self._usual = usual
        self._secret = secret
        self._monotonic = monotonic
        self._in_use: Mapping[int, int] = {}
        self._count_at = -math.inf
        self._lock = asyncio.Lock()

    async def count(self) -> None:
        """Count what is in use, if that was long ago. To be called whether or not a name exists: it takes time.

        Raises:
            StorageUnavailable: see there.
        """
        if self._monotonic() < self._count_at:
            return
        async with self._lock:
            if self._monotonic() >= self._count_at:
                self._in_use = await self._accounts.iterations()
                self._count_at = self._monotonic() + _COUNT_EVERY_S

    def of(self, address: str) -> int:
        """The rounds of an address that does not exist."""
        # Weighted rendezvous hashing: when the counts change, no more names change their draw than have to, as no more
        # accounts have got new passwords.
        return min(self._in_use, key=lambda rounds: (self._arrival(address, rounds), rounds), default=self._usual)

    def _arrival(self, address: str, rounds: int) -> float:
        digest = hmac.digest(self._secret, f"rounds {rounds} {address}".encode(errors="surrogatepass"), "sha256")
        share = (int.from_bytes(digest[: _HASH_BITS // 8], "big") + 1) / 2.0**_HASH_BITS
        return -math.log(share) / self._in_use[rounds]
