"""Rates: a token bucket that answers with the time to wait."""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """Lets `burst` units pass at once and `rate` per second for long.

    Args:
        rate: units per second.
        burst: units that may pass at once.
        monotonic: seconds of a clock that never goes back.
    """

    __slots__ = ("_burst", "_level", "_monotonic", "_rate", "_seen_at")

    def __init__(self, rate: float, burst: float, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._level = burst
        self._seen_at = monotonic()

    def take(self, amount: float) -> float:
        """Let `amount` pass and return the seconds to wait before more may; 0 while within the burst."""
        now = self._monotonic()
        level = min(self._burst, self._level + (now - self._seen_at) * self._rate) - amount
        self._seen_at = now
        self._level = level
        return -level / self._rate if level < 0 else 0.0
