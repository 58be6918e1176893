"""What was acknowledged, against what is there: the books of the kill and power-cut tests."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts over all that was compared; `trouble` says in words what is wrong, the first few of each kind."""

    acknowledged: int = 0
    found: int = 0
    lost: int = 0
    doubled: int = 0
    misplaced: int = 0
    trouble: list[str] = field(default_factory=list)

    def compare(self, name: str, acknowledged: Sequence[str], found: Iterable[str]) -> None:
        """Enter one sender's messages.

        Args:
            name: for the words.
            acknowledged: in the order in which they were sent.
            found: what one archive or recipient has of that sender, in its order; it may have more.
        """
        present = list(found)
        counts = Counter(present)
        lost = [text for text in acknowledged if not counts[text]]
        doubled = [text for text, count in counts.items() if count > 1]
        places = {text: place for place, text in enumerate(present)}
        order = [places[text] for text in acknowledged if text in places]
        misplaced = sum(1 for before, after in itertools.pairwise(order) if after < before)
        self.acknowledged += len(acknowledged)
        self.found += len(acknowledged) - len(lost)
        self.lost += len(lost)
        self.doubled += len(doubled)
        self.misplaced += misplaced
        self._note(f"{name}: lost", lost)
        self._note(f"{name}: doubled", doubled)
        self._note(f"{name}: out of order", [str(misplaced)] if misplaced else [])

    def check(self, what: str, is_there: bool) -> None:
        """Enter one thing that was acknowledged and is there or not."""
        self.acknowledged += 1
        self.found += is_there
        self.lost += not is_there
        self._note("lost", [] if is_there else [what])

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.misplaced)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.found} found, {self.lost} lost, {self.doubled} doubled, "
            f"{self.misplaced} out of order"
        )

    def _note(self, kind: str, items: list[str]) -> None:
        if items:
            self.trouble.append(f"{kind} {len(items)}: {', '.join(items[:5])}")
