"""Delivery of a mailbox while somebody of its account is connected.

The log holds every message that waits; a cursor says up to where they were delivered. This is the part that lives in
memory: which messages are on their way to which sessions, and how far the cursor may move. Message 7 may be
acknowledged before message 5: then the cursor stays before 5, and 7 is remembered here. Whatever is lost here (a crash,
more to remember than there is room for) is delivered again from the log; that is the price of never losing one.

    IDLE ──somebody can take mail──▶ CATCHING_UP ──nothing waits in the log──▶ LIVE ──nobody left──▶ IDLE
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum
from typing import Final, Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)

_ASIDE_KEPT: Final = 1000


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
        """The log was asked for what waits up to this place."""
        self.run = 0
        """Number of the catching up that counts; an earlier one that still waits for the log must stop."""
        self._has_news = False
        self._on_way: dict[int, set[Holder]] = {}
        self._aside: dict[int, set[Holder] | None] = {}
        """What went past waiting mail: who it is on its way to, None where it was delivered."""
        self._ahead: dict[int, None] = {}
        """What was delivered while an older message is still on its way."""
        self._known = 0
        self._high = 0

    def restore(self, holder: Holder, on_way: Iterable[int], delivered: Iterable[int]) -> None:
        """Know again what an earlier process knew of what the log says is waiting; before anybody takes mail."""
        self._aside.update((seq, None) for seq in delivered)
        for seq in on_way:
            holders = self._aside.setdefault(seq, set())
            if holders is not None:
                holders.add(holder)

    def wake(self) -> bool:
        """Somebody can take mail. True when catching up is to begin now."""
        if self.state is not MailboxState.IDLE:
            return False
        self._catch_up_from(0)
        self._known = self._high = 0
        return True

    def arrived(self, seq: int) -> bool:
        """A message was committed. True when it is to be sent now; otherwise the log has it for later."""
        if self.state is not MailboxState.LIVE:
            self._has_news = True
            return False
        if seq <= self._known:
            # The log was read between the commit and this call.
            return False
        self._put(seq)
        return True

    def put_aside(self, seq: int, holder: Holder) -> bool:
        """A message was committed for `holder` alone, who takes no mail; True when it is to be sent there now.

        It goes past what waits, so the cursor may stay before it: `settled` and `is_settled` tell what was delivered.
        """
        is_taken = self.state is not MailboxState.IDLE and seq <= self._known
        if self.state is MailboxState.LIVE or is_taken:
            return False
        self._aside[seq] = {holder}
        return True

    def is_settled(self, seq: int) -> bool:
        """Whether a message that the log says is waiting was put aside and has been delivered."""
        return seq in self._aside and self._aside[seq] is None

    def settled(self, waiting: Iterable[int]) -> int | None:
        """How far the cursor may move while nobody takes mail, or None; `waiting` is what waits, in order."""
        cursor = None
        for seq in waiting:
            if self.state is not MailboxState.IDLE or not self.is_settled(seq):
                break
            del self._aside[seq]
            cursor = seq
        return cursor

    def is_catching_up(self, run: int) -> bool:
        """Whether the catching up with this number is to go on."""
        return self.state is MailboxState.CATCHING_UP and self.run == run

    def fetching(self) -> None:
        """The log is about to be asked for what waits behind `fetched`."""
        self._has_news = False

    def take(self, seq: int) -> bool:
        """A message that waits, from the log, in order. True when it is to be sent now."""
        self.fetched = seq
        if seq <= self._known:
            return self._on_way.get(seq) == set()
        self._put(seq)
        if seq not in self._aside:
            return True
        self._on_way[seq] |= self._aside.pop(seq) or set()
        return False

    def caught_up(self) -> bool:
        """The log had nothing more. True when messages go live from now on, False when there is news by now."""
        if self._has_news or self.state is not MailboxState.CATCHING_UP:
            return False
        self.state = MailboxState.LIVE
        return True

    def sent(self, seq: int, holder: Holder) -> None:
        """A copy is on its way to `holder`."""
        holders = self._on_way[seq] if seq in self._on_way else self._aside.get(seq)
        if holders is not None:
            holders.add(holder)

    def delivered(self, seq: int) -> int | None:
        """Somebody has it. Returns how far the cursor may move, or None if no further."""
        if seq in self._aside:
            self._aside[seq] = None
            self._keep_few()
            return None
        if self._on_way.pop(seq, None) is None:
            return None
        self._high = max(self._high, seq)
        if not self._on_way:
            self._ahead.clear()
            return self._high
        # Messages are put on their way in the log's order, so the first one is the lowest.
        lowest = next(iter(self._on_way))
        if seq > lowest:
            self._ahead[seq] = None
            self._keep_few()
        return lowest - 1 if lowest > 1 else None

    def lost(self, holder: Holder) -> bool:
        """The holder is gone. True when messages are on their way to nobody now: `rewind` or `sleep`."""
        for seq, held in list(self._aside.items()):
            if held is not None:
                held.discard(holder)
                if not held:
                    del self._aside[seq]
        for holders in self._on_way.values():
            holders.discard(holder)
        # Also what was about to be sent to this one, and to nobody else.
        return not all(self._on_way.values())

    def rewind(self) -> None:
        """Fetch again what is on its way to nobody, for others: catching up begins anew."""
        orphans = [seq for seq, holders in self._on_way.items() if not holders]
        self._catch_up_from(orphans[0] - 1 if orphans else self.fetched)

    def sleep(self) -> None:
        """Nobody can take mail any more; what was delivered, or is on its way to who is there, stays known."""
        self.state = MailboxState.IDLE
        if self._on_way:
            lowest = next(iter(self._on_way))
            self._aside.update((seq, None) for seq in self._ahead if seq > lowest)
        self._aside.update((seq, holders) for seq, holders in self._on_way.items() if holders)
        self._on_way.clear()
        self._ahead.clear()
        self._keep_few()

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it knows of a message that waits in the log and was delivered."""
        return None in self._aside.values()

    @property
    def on_way(self) -> int:
        """How many messages are on their way."""
        return len(self._on_way)

    def _put(self, seq: int) -> None:
        self._known = seq
        self._on_way[seq] = set()

    def _keep_few(self) -> None:
        # What is forgotten is delivered once more to who takes mail next.
        while len(self._ahead) > _ASIDE_KEPT:
            del self._ahead[next(iter(self._ahead))]
        over = len(self._aside) - _ASIDE_KEPT
        if over > 0:
            for seq in [seq for seq, holders in self._aside.items() if holders is None][:over]:
                del self._aside[seq]

    def _catch_up_from(self, place: int) -> None:
        self.state = MailboxState.CATCHING_UP
        self.run += 1
        self.fetched = place
        self._has_news = False
