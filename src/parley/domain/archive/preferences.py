"""What an account wants to have in its archive (XEP-0441 in the domain's words).

Whether people may choose is a setting: an organisation that has to keep everything does not let them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parley.domain.archive.ports import PreferenceStore

MAX_LISTED: Final = 1_000
"""Addresses that an account may list."""

_CACHED: Final = 100_000


class Keep(StrEnum):
    """Which messages are archived where nothing else is said."""

    ALWAYS = "always"
    NEVER = "never"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The default, and addresses (bare, or with a device) for which it does not hold."""

    default: Keep = Keep.ALWAYS
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether all messages are archived: the common case, which is asked for with every message."""
        return self.default is Keep.ALWAYS and not self.never

    def keeps(self, peer: str, device: str, is_contact: Callable[[], bool]) -> bool:
        """Whether a message from or to `device` (empty for none) of the bare address `peer` is archived.

        Of two lists that both name it the one that names the device decides, then `always`. `is_contact` tells whether
        the peer is in the roster; it is asked only where that matters.
        """
        full = f"{peer}/{device}" if device else peer
        for name in (full, peer):
            if name in self.always:
                return True
            if name in self.never:
                return False
        return is_contact() if self.default is Keep.ROSTER else self.default is Keep.ALWAYS


class Archiving:
    """What the archives of accounts keep; preferences come from memory or the store.

    Args:
        store: where they are kept; None where people may not choose.
        default: what holds for an account that has not chosen.
    """

    def __init__(self, store: PreferenceStore | None, default: Keep) -> None:
        self._store = store
        self._default = Preferences(default)
        self._cache: OrderedDict[int, Preferences] = OrderedDict()

    @property
    def is_fixed(self) -> bool:
        """Whether people may not choose."""
        return self._store is None

    def cached(self, account_id: int) -> Preferences | None:
        """The preferences of an account if they are known without asking the store."""
        return self._default if self._store is None else self._cache.get(account_id)

    async def get(self, account_id: int) -> Preferences:
        """The preferences of an account."""
        known = self.cached(account_id)
        if known is not None or self._store is None:
            return known or self._default
        found = await self._store.get(account_id) or self._default
        # What was chosen while this was read is newer.
        return self._remember(account_id, self._cache.get(account_id) or found)

    async def choose(self, account_id: int, preferences: Preferences) -> None:
        """Replace the preferences of an account. Only where people may choose."""
        if self._store is None:
            raise RuntimeError("preferences are fixed")
        await self._store.put(account_id, preferences)
        self._remember(account_id, preferences)

    def _remember(self, account_id: int, preferences: Preferences) -> Preferences:
        self._cache[account_id] = preferences
        self._cache.move_to_end(account_id)
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return preferences
