"""A token bucket whose time is an argument."""

from __future__ import annotations


class Bucket:
    """Lets `burst` units pass at once and `rate` per second for long. It may be drawn below nothing: that is to wait.

    Args:
        rate: units per second, above 0.
        burst: units that may pass at once, above 0.
        now: seconds of a clock that never goes back, as in all its methods.
    """

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = now

    def level(self, now: float) -> float:
        """What may pass at once; below 0 while somebody has to wait."""
        return min(self.burst, self._level + (now - self._at) * self.rate)

    def take(self, amount: float, now: float) -> float:
        """Let `amount` pass and return the seconds to wait before more may; 0 while within the burst."""
        level = self.level(now) - amount
        self._level, self._at = level, now
        return -level / self.rate if level < 0 else 0.0

    def take_whole(self, amount: float, now: float) -> bool:
        """Let `amount` pass if that much is there; else nothing does."""
        level = self.level(now)
        if level < amount:
            return False
        self._level, self._at = level - amount, now
        return True

    def is_full(self, now: float) -> bool:
        """Whether nothing is known of it that a new one would not know."""
        return self.level(now) >= self.burst

    def set(self, rate: float, burst: float, now: float) -> None:
        """Go on with another rate; what was used stays used."""
        used = self.burst - self.level(now)
        self.rate, self.burst = rate, burst
        self._level, self._at = burst - used, now
