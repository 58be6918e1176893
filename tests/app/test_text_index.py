"""The service that keeps the index of words in step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parley.app.text_index import TextFollower
from parley.base.clock import VirtualClock
from parley.domain.errors import StorageUnavailable


class Index:
    """Says of each step what it is told to."""

    is_available = True

    def __init__(self, *answers: bool | StorageUnavailable) -> None:
        self._answers = iter(answers)
        self.steps = 0

    async def follow(self, text_of: Callable[[bytes], str]) -> bool:
        assert text_of(b"words") == "words"
        self.steps += 1
        answer = next(self._answers, False)
        if isinstance(answer, StorageUnavailable):
            raise answer
        return answer


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_pauses_between_steps_rests_in_step_and_goes_on_after_a_failure() -> None:
    clock = VirtualClock()
    index = Index(True, True, False, StorageUnavailable("storage-overloaded"), True)
    task = asyncio.create_task(TextFollower(index, bytes.decode, clock).run())
    try:
        await _turns()
        seen = [index.steps]
        for pause_s in (0.04, 0.02, 0.06, 4.9, 0.2, 5.1, 0.06):
            clock.advance(pause_s)
            await _turns()
            seen.append(index.steps)
        assert seen == [1, 1, 2, 3, 3, 4, 5, 6]
    finally:
        task.cancel()
