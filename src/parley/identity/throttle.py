"""Throttling of guesses: failures are counted per key within a window of time."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

_MOST_KEYS: Final = 20_000


class Throttle:
    """Counts failures by key (an account or a network address).

    Args:
        limit: failures within the window from which on a key is refused.
        window_s: how long a failure counts, in seconds.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, limit: int, window_s: float, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self.window_s = window_s
        self._monotonic = monotonic
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def configure(self, limit: int, window_s: float) -> None:
        """Count by other numbers from now on; failures that count already go on counting."""
        self.limit = limit
        self.window_s = window_s
        for key, failures in self._failures.items():
            self._failures[key] = deque(failures, maxlen=limit)

    def retry_after_s(self, key: str) -> float:
        """Seconds until the key may try again; 0 when it may now."""
        failures = self._recent(key)
        if failures is None or len(failures) < self.limit:
            return 0.0
        return failures[-self.limit] + self.window_s - self._monotonic()

    def failed(self, key: str) -> None:
        """Count a failure. The keys that failed longest ago are forgotten when there are too many."""
        failures = self._recent(key)
        if failures is None:
            failures = self._failures[key] = deque(maxlen=self.limit)
        failures.append(self._monotonic())
        self._failures.move_to_end(key)
        while len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float] | None:
        failures = self._failures.get(key)
        if failures is None:
            return None
        oldest = self._monotonic() - self.window_s
        while failures and failures[0] <= oldest:
            failures.popleft()
        if not failures:
            del self._failures[key]
            return None
        return failures
