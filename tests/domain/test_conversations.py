"""The class of a conversation is raised and never silently lowered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.domain.test_pipeline import SUBMISSION

from parley.domain.conversations import Conversations
from parley.domain.errors import Refused
from parley.domain.messages import Confidentiality
from parley.storage.memory.store import MemoryStorage

SEALED = replace(SUBMISSION, is_sealed=True)
BACK = replace(SUBMISSION, sender=SUBMISSION.recipient, recipient=SUBMISSION.sender)
RECEIPT = replace(SUBMISSION, has_content=False)


async def conversations(storage: MemoryStorage, *, is_lowering_refused: bool = True) -> Conversations:
    made = Conversations(storage.conversations, is_lowering_refused=is_lowering_refused)
    await made.load(SUBMISSION.sender, SUBMISSION.recipient)
    return made


async def test_the_first_message_sets_the_class_and_a_sealed_one_raises_it() -> None:
    known = await conversations(MemoryStorage())
    assert known.raised(SUBMISSION) is Confidentiality.MANAGED
    assert known.raised(SUBMISSION) is None
    assert known.raised(SEALED) is Confidentiality.SEALED
    assert known.raised(SUBMISSION) is None
    assert known.raised(BACK) is None


async def test_a_kept_class_outlives_the_process() -> None:
    storage = MemoryStorage()
    first = await conversations(storage)
    raised = first.raised(SEALED)
    assert raised is not None
    await first.keep(SEALED, raised)
    second = await conversations(storage)
    with pytest.raises(Refused, match="sealed"):
        second.check(BACK)


async def test_lowering_is_refused_only_where_that_is_the_setting() -> None:
    for is_refused in (True, False):
        known = await conversations(MemoryStorage(), is_lowering_refused=is_refused)
        known.check(SUBMISSION)
        known.raised(SEALED)
        known.check(SEALED)
        if is_refused:
            with pytest.raises(Refused) as refused:
                known.check(SUBMISSION)
            assert refused.value.code == "confidentiality-lowered"
        else:
            known.check(SUBMISSION)


async def test_receipts_neither_raise_nor_are_refused() -> None:
    known = await conversations(MemoryStorage())
    assert known.raised(RECEIPT) is None
    known.raised(SEALED)
    known.check(RECEIPT)
