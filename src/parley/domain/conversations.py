"""Conversations and their class: who may read what is said in them.

A conversation has the highest class that any of its messages had: it is raised by the first sealed message and never
lowered again. What happens to a message of a lower class is a setting: it is delivered and keeps its own class, which
apps show, or it is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.domain.errors import Refused
from parley.domain.messages import Confidentiality
from parley.domain.pipeline import classify

if TYPE_CHECKING:
    from parley.domain.messages import Submission
    from parley.domain.ports import ConversationStore

_KEPT: Final = 100_000


class Conversations:
    """The classes of conversations, from memory or the store.

    Args:
        store: where they are kept.
        is_lowering_refused: whether a message of a lower class than its conversation's is refused.
    """

    def __init__(self, store: ConversationStore, *, is_lowering_refused: bool) -> None:
        self._store = store
        self._is_lowering_refused = is_lowering_refused
        self._cache: OrderedDict[tuple[str, str], Confidentiality | None] = OrderedDict()

    def is_known(self, a: str, b: str) -> bool:
        """Whether `check` and `raised` can answer for the two without asking the store."""
        return _pair(a, b) in self._cache

    async def load(self, a: str, b: str) -> None:
        """Fetch the class of the conversation of two addresses."""
        pair = _pair(a, b)
        if pair not in self._cache:
            confidentiality = await self._store.confidentiality(a, b)
            # Somebody may have raised it meanwhile.
            self._cache.setdefault(pair, confidentiality)
            if len(self._cache) > _KEPT:
                self._cache.popitem(last=False)

    def check(self, submission: Submission) -> None:
        """POLICY: raises Refused("confidentiality-lowered") where that is the setting."""
        if self._is_lowering_refused and submission.has_content and not submission.is_sealed:
            known = self._cache.get(_pair(submission.sender, submission.recipient))
            if known is not None and classify(submission).rank < known.rank:
                raise Refused("confidentiality-lowered", "this conversation is sealed")

    def raised(self, submission: Submission) -> Confidentiality | None:
        """A message was committed: the conversation's new class, to be given to `keep`, if it raises it."""
        if not submission.has_content:
            return None
        pair = _pair(submission.sender, submission.recipient)
        known = self._cache.get(pair)
        confidentiality = classify(submission)
        if known is not None and confidentiality.rank <= known.rank:
            return None
        self._cache[pair] = confidentiality
        return confidentiality

    async def keep(self, submission: Submission, confidentiality: Confidentiality) -> None:
        """Store a class that `raised` returned."""
        await self._store.raise_confidentiality(submission.sender, submission.recipient, confidentiality)


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
