"""Strangers of other servers: how much they may say before somebody answers.

A stranger is who the recipient neither has in the roster nor ever wrote to.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from parley.domain.partners.buckets import Bucket

K = TypeVar("K")

_KEPT: Final = 10_000


class StrangerRule(StrEnum):
    """Which bound a stranger met."""

    ACCOUNT = "strangers-to-account"
    PARTNER = "strangers-of-partner"


@dataclass(frozen=True, slots=True)
class StrangerLimits:
    """Messages and requests of strangers: per hour and at once, to one account and from one partner."""

    account_per_hour: float
    account_burst: float
    partner_per_hour: float
    partner_burst: float


class StrangerThrottle:
    """Counts what strangers say. Remembers the latest 10,000 accounts and partners that had to do with any."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[int, Bucket] = OrderedDict()
        self._partners: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, account_id: int, partner: str, limits: StrangerLimits, now: float) -> StrangerRule | None:
        """Count one contact; returns what forbids it. `partner` is a domain, `now` in seconds, never going back."""
        account = _bucket(self._accounts, account_id, limits.account_per_hour, limits.account_burst, now)
        of_partner = _bucket(self._partners, partner, limits.partner_per_hour, limits.partner_burst, now)
        if of_partner.level(now) < 1:
            return StrangerRule.PARTNER
        if not account.take_whole(1, now):
            return StrangerRule.ACCOUNT
        of_partner.take(1, now)
        return None


def _bucket(buckets: OrderedDict[K, Bucket], key: K, per_hour: float, burst: float, now: float) -> Bucket:
    found = buckets.get(key)
    if found is None:
        found = buckets[key] = Bucket(per_hour / 3600, burst, now)
        if len(buckets) > _KEPT:
            buckets.popitem(last=False)
        return found
    buckets.move_to_end(key)
    if (found.rate, found.burst) != (per_hour / 3600, burst):
        found.set(per_hour / 3600, burst, now)
    return found
