"""Delivery of a mailbox while somebody of its account is connected.

The log holds every message that waits; a cursor says up to where they were delivered. This is the part that lives in
memory: which messages are on their way to which sessions, and how far the cursor may move. Message 7 may be
acknowledged before message 5: then the cursor stays before 5. Whatever is lost here (a crash, the last session's end)
is delivered again from the log; that is the price of never losing one.

    IDLE ──somebody can take mail──▶ CATCHING_UP ──nothing waits in the log──▶ LIVE ──nobody left──▶ IDLE
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum
from typing import Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)


class MailboxState(Enum):
    """Where messages come from."""

    IDLE = "idle"
    CATCHING_UP = "catching-up"
    LIVE = "live"


class Mailbox(Generic[Holder]):
    """One account's deliveries. `Holder` is whatever stands for a session."""

    def __init__(self) -> None:
        self.state = MailboxState.IDLE
        self.fetched = 0
        """Messages up to this place of the log were fetched for catching up."""
        self._has_news = False
        self._on_way: dict[int, set[Holder]] = {}
        self._high = 0

    def wake(self) -> bool:
        """Somebody can take mail. True when catching up is to begin now."""
        if self.state is not MailboxState.IDLE:
            return False
        self.state = MailboxState.CATCHING_UP
        self.fetched = 0
        self._has_news = False
        return True

    def arrived(self, seq: int) -> bool:
        """A message was committed. True when it is to be sent now; otherwise it is fetched from the log later."""
        if self.state is MailboxState.LIVE:
            self._on_way[seq] = set()
            return True
        self._has_news = True
        return False

    def fetching(self) -> None:
        """The log is about to be asked for what waits behind `fetched`."""
        self._has_news = False

    def fetched_up_to(self, seqs: Iterable[int], *, is_last: bool) -> bool:
        """The log's answer; True when there is nothing more and messages go live from now on."""
        for seq in seqs:
            self._on_way[seq] = set()
            self.fetched = seq
        if is_last and not self._has_news and self.state is MailboxState.CATCHING_UP:
            self.state = MailboxState.LIVE
            return True
        return False

    def sent(self, seq: int, holder: Holder) -> None:
        """A copy is on its way to `holder`."""
        holders = self._on_way.get(seq)
        if holders is not None:
            holders.add(holder)

    def delivered(self, seq: int) -> int | None:
        """Somebody has it. Returns how far the cursor may move, or None if not further."""
        if self._on_way.pop(seq, None) is None:
            return None
        self._high = max(self._high, seq)
        # Messages are put on their way in the log's order, so the first one is the lowest.
        cursor = next(iter(self._on_way)) - 1 if self._on_way else self._high
        return cursor if cursor > 0 else None

    def lost(self, holder: Holder) -> list[int]:
        """The holder is gone. Returns the messages, in order, that are on their way to nobody now."""
        orphans = []
        for seq, holders in self._on_way.items():
            if holder in holders:
                holders.discard(holder)
                if not holders:
                    orphans.append(seq)
        return sorted(orphans)

    def sleep(self) -> None:
        """Nobody can take mail any more."""
        self.state = MailboxState.IDLE
        self._on_way.clear()

    @property
    def on_way(self) -> int:
        """How many messages are on their way."""
        return len(self._on_way)
