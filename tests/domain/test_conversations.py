"""The class of a conversation is raised and never silently lowered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.domain.test_pipeline import SUBMISSION

from parley.domain.conversations import Conversations
from parley.domain.errors import Refused
from parley.domain.messages import Appended, Confidentiality, ConversationClass
from parley.storage.memory.store import MemoryStorage

SEALED = replace(SUBMISSION, is_sealed=True)
BACK = replace(SUBMISSION, sender=SUBMISSION.recipient, recipient=SUBMISSION.sender)
APPENDED = Appended(seq=1, id="id-1")
PAIR = (SUBMISSION.sender, SUBMISSION.recipient)
RECEIPT = replace(SUBMISSION, has_content=False)


async def conversations(storage: MemoryStorage, *, is_lowering_refused: bool = True) -> Conversations:
    made = Conversations(storage.conversations, is_lowering_refused=is_lowering_refused)
    await made.load(SUBMISSION.sender, SUBMISSION.recipient)
    return made


async def test_the_first_message_sets_the_class_and_a_sealed_one_raises_it() -> None:
    known = await conversations(MemoryStorage())
    assert known.raises(SUBMISSION) == ConversationClass(*PAIR, Confidentiality.MANAGED)
    known.committed(SUBMISSION, APPENDED)
    assert known.raises(SUBMISSION) is None
    assert known.raises(SEALED) == ConversationClass(*PAIR, Confidentiality.SEALED)
    known.committed(SEALED, APPENDED)
    assert known.raises(SEALED) is None
    assert known.raises(SUBMISSION) is None
    assert known.raises(BACK) is None


async def test_only_what_is_committed_counts() -> None:
    known = await conversations(MemoryStorage())
    assert known.raises(SEALED) is not None
    known.check(SUBMISSION)
    # It is on its way still and may fail, so the next one carries the class too.
    assert known.raises(SEALED) == ConversationClass(*PAIR, Confidentiality.SEALED)
    known.committed(SEALED, Appended(seq=0, id=""))
    known.check(SUBMISSION)


class SlowStore:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Confidentiality | None]] = []

    async def confidentiality(self, a: str, b: str) -> Confidentiality | None:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def test_a_class_raised_while_it_is_read_is_read_again() -> None:
    store = SlowStore()
    known = Conversations(store, is_lowering_refused=True)
    loading = asyncio.create_task(known.load(*PAIR))
    await asyncio.sleep(0)
    known.committed(SEALED, APPENDED)
    store.asked[0].set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not known.is_known(*PAIR)
    store.asked[1].set_result(Confidentiality.SEALED)
    await loading
    with pytest.raises(Refused, match="sealed"):
        known.check(BACK)


async def test_lowering_is_refused_only_where_that_is_the_setting() -> None:
    for is_refused in (True, False):
        known = await conversations(MemoryStorage(), is_lowering_refused=is_refused)
        known.check(SUBMISSION)
        known.committed(SEALED, APPENDED)
        known.check(SEALED)
        if is_refused:
            with pytest.raises(Refused) as refused:
                known.check(SUBMISSION)
            assert refused.value.code == "confidentiality-lowered"
        else:
            known.check(SUBMISSION)


async def test_receipts_neither_raise_nor_are_refused() -> None:
    known = await conversations(MemoryStorage())
    assert known.raises(RECEIPT) is None
    known.committed(SEALED, APPENDED)
    known.check(RECEIPT)
