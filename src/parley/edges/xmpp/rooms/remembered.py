"""What was said last in a room, in memory: so many messages, and so many bytes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parley.domain.rooms.ports import RoomMessage

_MAX_BYTES: Final = 256 * 1024


class Remembered:
    """The last messages, oldest first.

    Args:
        messages: what there is, oldest first.
        limit: at most so many.
    """

    def __init__(self, messages: Iterable[RoomMessage], limit: int) -> None:
        self._limit = limit
        self._messages: deque[RoomMessage] = deque()
        self._size_bytes = 0
        for message in messages:
            self.add(message)

    def add(self, message: RoomMessage) -> None:
        """Somebody said something."""
        self._messages.append(message)
        self._size_bytes += len(message.content)
        while self._messages and (len(self._messages) > self._limit or self._size_bytes > _MAX_BYTES):
            self._size_bytes -= len(self._messages.popleft().content)

    def drop(self, message_id: str) -> None:
        """It was taken back."""
        kept = [message for message in self._messages if message.id != message_id]
        self._messages.clear()
        self._size_bytes = 0
        for message in kept:
            self.add(message)

    def __iter__(self) -> Iterator[RoomMessage]:
        return iter(self._messages)
