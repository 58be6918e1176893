"""How far long work has come, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

_TERMINAL_EVERY_S: Final = 0.1
_LOG_EVERY_S: Final = 5.0


class Progress:
    """One line that is rewritten on a terminal, and a new line every few seconds elsewhere. A context manager.

    Args:
        what: what is being done.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_terminal = sys.stderr.isatty()
        self._due_at = time.monotonic() + (0 if self._is_terminal else _LOG_EVERY_S)
        self._is_line_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_line_open:
            print(file=sys.stderr)

    def update(self, done: int, total: int) -> None:
        """So many of so many are done."""
        now = time.monotonic()
        if now < self._due_at and done < total:
            return
        self._due_at = now + (_TERMINAL_EVERY_S if self._is_terminal else _LOG_EVERY_S)
        text = f"{self._what}: {done} of {total}"
        if self._is_terminal:
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
            self._is_line_open = True
        else:
            print(text, file=sys.stderr, flush=True)
