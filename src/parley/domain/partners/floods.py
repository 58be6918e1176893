"""What happens to a partner that sends too much: slowed, then cut off for a growing time, forgiven slowly.

Above its rate it is read more slowly, which TCP hands on to it: an honest server waits and loses nothing. One that
keeps the bucket empty for longer than anybody's backlog takes is cut off; every further time twice as long, up to a
bound. For each stretch without a cut one of them is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.domain.partners.agreements import Rates
from parley.domain.partners.buckets import Bucket


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a partner may be over its rate, how long it is cut off at first and at most, and what forgives a cut."""

    flood_after_s: float
    first_cut_s: float
    longest_cut_s: float
    forgive_after_s: float


class Meter:
    """Measures one partner. `now` is seconds of a clock that never goes back."""

    __slots__ = ("_bytes", "_cut_until", "_cuts", "_over_since", "_stanzas", "rates")

    def __init__(self, rates: Rates, now: float) -> None:
        self.rates = rates
        self._stanzas = Bucket(rates.stanzas_per_s, rates.burst_stanzas, now)
        self._bytes = Bucket(rates.bytes_per_s, rates.burst_bytes, now)
        self._over_since: float | None = None
        self._cut_until = now
        self._cuts = 0

    @property
    def cuts(self) -> int:
        """How often it was cut off and not forgiven; as of the last call of `take` or `is_idle`."""
        return self._cuts

    def cut_s(self, now: float) -> float:
        """For how much longer it is cut off; 0 when it is not."""
        return max(self._cut_until - now, 0.0)

    def take(self, size_bytes: int, now: float, patience: Patience) -> float:
        """Count a stanza and return how many seconds to read no further; `cut_s` tells whether it was one too many."""
        wait_s = max(self._stanzas.take(1, now), self._bytes.take(size_bytes, now))
        if wait_s > 0:
            if self._over_since is None:
                self._over_since = now
            elif now - self._over_since >= patience.flood_after_s:
                self._cut(now, patience)
        elif self._over_since is not None and self._has_recovered(now):
            self._over_since = None
        return wait_s

    def configure(self, rates: Rates, now: float) -> None:
        """Go on with other rates."""
        if rates != self.rates:
            self.rates = rates
            self._stanzas.set(rates.stanzas_per_s, rates.burst_stanzas, now)
            self._bytes.set(rates.bytes_per_s, rates.burst_bytes, now)

    def is_idle(self, now: float, patience: Patience) -> bool:
        """Whether it may be forgotten: a new one would say the same."""
        self._forgive(now, patience)
        return not self._cuts and self._stanzas.is_full(now) and self._bytes.is_full(now)

    def _has_recovered(self, now: float) -> bool:
        stanzas, octets = self._stanzas, self._bytes
        return stanzas.level(now) * 2 >= stanzas.burst and octets.level(now) * 2 >= octets.burst

    def _cut(self, now: float, patience: Patience) -> None:
        self._forgive(now, patience)
        # Beyond 60 doublings any bound is passed, and a float would not hold it.
        length_s = min(patience.first_cut_s * 2.0 ** min(self._cuts, 60), patience.longest_cut_s)
        self._cuts += 1
        self._cut_until = now + length_s
        self._over_since = None

    def _forgive(self, now: float, patience: Patience) -> None:
        if self._cuts and now > self._cut_until:
            forgiven = min(int((now - self._cut_until) / patience.forgive_after_s), self._cuts)
            self._cuts -= forgiven
            # What is left over of the time counts towards the next one.
            self._cut_until += forgiven * patience.forgive_after_s
