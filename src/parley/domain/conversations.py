"""Conversations and their class: who may read what is said in them.

A conversation has the highest class that any of its messages had: it is raised by the first sealed message and never
lowered again. What happens to a message of a lower class is a setting: it is delivered and keeps its own class, which
apps show, or it is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.domain.errors import Refused
from parley.domain.messages import Confidentiality, ConversationClass
from parley.domain.pipeline import classify

if TYPE_CHECKING:
    from parley.domain.messages import Appended, Submission
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
        self._missed = 0

    def is_known(self, a: str, b: str) -> bool:
        """Whether `check` can answer for the two without asking the store."""
        return _pair(a, b) in self._cache

    async def load(self, a: str, b: str) -> None:
        """Fetch the class of the conversation of two addresses."""
        pair = _pair(a, b)
        while pair not in self._cache:
            missed = self._missed
            confidentiality = await self._store.confidentiality(a, b)
            # What was read while a class was raised may be out of date already.
            if missed == self._missed:
                self._cache[pair] = confidentiality
                if len(self._cache) > _KEPT:
                    self._cache.popitem(last=False)

    def check(self, submission: Submission) -> None:
        """POLICY: raises Refused("confidentiality-lowered") where that is the setting."""
        if self._is_lowering_refused and submission.has_content and not submission.is_sealed:
            known = self._cache.get(_pair(submission.sender, submission.recipient))
            if known is not None and classify(submission).rank < known.rank:
                raise Refused("confidentiality-lowered", "this conversation is sealed")

    def raises(self, submission: Submission) -> ConversationClass | None:
        """The class to commit with a message: its own, unless the conversation is known to have that or a higher one.

        A class that is on its way with another message is not known yet, so this one carries it as well.
        """
        if not submission.has_content:
            return None
        first, second = pair = _pair(submission.sender, submission.recipient)
        known = self._cache.get(pair)
        confidentiality = classify(submission)
        if known is not None and confidentiality.rank <= known.rank:
            return None
        return ConversationClass(first, second, confidentiality)

    def committed(self, submission: Submission, appended: Appended) -> None:
        """Remember what was raised with a committed message: a follower of the pipeline."""
        raised = self.raises(submission)
        if raised is None or not appended.seq:
            # Where no mailbox holds the message nothing was stored.
            return
        pair = (raised.first, raised.second)
        if pair in self._cache:
            self._cache[pair] = raised.confidentiality
        else:
            # The store may know a higher one: who asks next reads it there.
            self._missed += 1


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
