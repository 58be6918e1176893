"""Keeping the index of words in step with the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.domain.archive.ports import TextIndex

log = logs.get(__name__)

_PAUSE_S: Final = 0.05
"""Between two steps: messages that come in have the writer for themselves most of the time."""

_REST_S: Final = 5.0
"""When it is in step, and after a failure."""


class TextFollower:
    """Takes one step after the other behind the log.

    Args:
        index: what follows.
        text_of: the words of a message's content.
        clock: for pauses.
    """

    def __init__(self, index: TextIndex, text_of: Callable[[bytes], str], clock: Clock) -> None:
        self._index = index
        self._text_of = text_of
        self._clock = clock

    async def run(self) -> None:
        """A service: runs until it is cancelled."""
        while True:
            try:
                is_behind = await self._index.follow(self._text_of)
            except StorageUnavailable as error:
                log.error("the index of words cannot follow", code=error.code)
                is_behind = False
            await self._clock.sleep(_PAUSE_S if is_behind else _REST_S)
