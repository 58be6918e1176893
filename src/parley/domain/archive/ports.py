"""The doors of this package; what `domain/ports.py` says of all of them holds here too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from parley.domain.archive.inbox import InboxPage, InboxQuery
from parley.domain.archive.preferences import Preferences


class PreferenceStore(Protocol):
    """What accounts want to have archived."""

    async def get(self, account_id: int) -> Preferences | None:
        """What an account chose, None when it never did."""
        ...

    async def put(self, account_id: int, preferences: Preferences) -> None:
        """Replace it."""
        ...


class InboxStore(Protocol):
    """Conversations, read off the log."""

    async def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of conversations; raises NotFound("item-not-found") for an unknown after_id or before_id."""
        ...


class TextIndex(Protocol):
    """The words of messages that the server may read. It follows the log; what was deleted leaves it again."""

    @property
    def is_available(self) -> bool:
        """Whether there is one."""
        ...

    async def follow(self, text_of: Callable[[bytes], str]) -> bool:
        """Take in some of the messages that are not in it yet, and let go of some that are deleted.

        `text_of` finds the words in a message's content; it is called on other threads. Sealed messages are left out.
        Does nothing where there is no index. Returns whether there is more to do.
        """
        ...
