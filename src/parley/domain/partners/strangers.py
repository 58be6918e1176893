"""Strangers of other servers: how much they may say before somebody answers.

A stranger is who the recipient neither has in the roster nor ever wrote to. How many new ones reach an account and come
from a partner is bounded, and how much each of them says.
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
    SENDER = "stranger-says-too-much"


@dataclass(frozen=True, slots=True)
class StrangerLimits:
    """Per hour for long, and half of it at once.

    Attributes:
        to_account: new strangers that reach an account.
        of_partner: new strangers of a partner, all accounts together.
        messages: what one stranger says to one account.
    """

    to_account: float
    of_partner: float
    messages: float


class StrangerThrottle:
    """Counts what strangers say. Remembers the latest 10,000 of them, and of accounts and partners that had any."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[int, Bucket] = OrderedDict()
        self._partners: OrderedDict[str, Bucket] = OrderedDict()
        self._senders: OrderedDict[tuple[int, str], Bucket] = OrderedDict()

    def take(
        self, account_id: int, sender: str, partner: str, limits: StrangerLimits, now: float
    ) -> StrangerRule | None:
        """Count something that a stranger says to an account; returns what forbids it.

        Args:
            account_id: who is to hear it.
            sender: the stranger's bare address.
            partner: its domain.
            limits: those in force.
            now: seconds, never going back.
        """
        key = (account_id, sender)
        if key not in self._senders:
            rule = self._new(account_id, partner, limits, now)
            if rule is not None:
                return rule
        is_within = _bucket(self._senders, key, limits.messages, now).take_whole(1, now)
        return None if is_within else StrangerRule.SENDER

    def _new(self, account_id: int, partner: str, limits: StrangerLimits, now: float) -> StrangerRule | None:
        of_partner = _bucket(self._partners, partner, limits.of_partner, now)
        if of_partner.level(now) < 1:
            return StrangerRule.PARTNER
        if not _bucket(self._accounts, account_id, limits.to_account, now).take_whole(1, now):
            return StrangerRule.ACCOUNT
        of_partner.take(1, now)
        return None


def _bucket(buckets: OrderedDict[K, Bucket], key: K, per_hour: float, now: float) -> Bucket:
    rate, burst = per_hour / 3600, max(per_hour / 2, 1.0)
    found = buckets.get(key)
    if found is None:
        found = buckets[key] = Bucket(rate, burst, now)
        if len(buckets) > _KEPT:
            buckets.popitem(last=False)
        return found
    buckets.move_to_end(key)
    if (found.rate, found.burst) != (rate, burst):
        found.set(rate, burst, now)
    return found
