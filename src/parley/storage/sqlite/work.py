"""What waits for the writer, and what comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Appended, NewMessage
from parley.domain.ports import AppendDone

Operation = Callable[[sqlite3.Connection], Any]


@dataclass(slots=True)
class Append:
    """A message on its way; `id` is its id as 16 bytes, `size_bytes` what it counts in the queue."""

    message: NewMessage
    id: bytes
    done: AppendDone
    size_bytes: int


@dataclass(slots=True)
class Refused:
    """Stands in line for a message that found the queue full, so that its caller too hears of it in order."""

    done: AppendDone
    error: StorageUnavailable


@dataclass(slots=True)
class Change:
    """Any other write; `settle` gets the value or the error, `size_bytes` is what it counts in the queue."""

    operation: Operation
    settle: Callable[[Any, BaseException | None], None]
    size_bytes: int


Item = Append | Refused | Change


@dataclass(frozen=True, slots=True)
class Failed:
    """The result of an operation that failed alone."""

    error: BaseException


Result = Appended | StorageUnavailable | Failed | Any


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What one transaction was like, for metrics.

    `duration_s` is the time from its begin to the end of its sync. `messages` and `changes` count what was in it,
    `queued` what waits behind it. `error` is the code of its failure, empty for a commit.
    """

    duration_s: float
    messages: int
    changes: int
    queued: int
    error: str = ""
