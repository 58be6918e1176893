from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.partners.agreements import Rates
from parley.domain.partners.buckets import Bucket
from parley.domain.partners.floods import Meter, Patience
from parley.domain.partners.strangers import StrangerLimits, StrangerRule, StrangerThrottle

RATES = Rates(stanzas_per_s=10, burst_stanzas=20, bytes_per_s=10_000, burst_bytes=50_000)
PATIENCE = Patience(flood_after_s=30, first_cut_s=60, longest_cut_s=500, forgive_after_s=600)

amounts = st.lists(st.tuples(st.floats(0.01, 50), st.floats(0, 20)), max_size=60)


@given(st.floats(0.1, 1000), st.floats(0.5, 1000), amounts)
def test_who_waits_as_told_never_passes_rate_and_burst(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, passed = Bucket(rate, burst, 0.0), 0.0, 0.0
    for amount, pause_s in steps:
        # What is taken last may be more than was there; it is waited for behind it.
        assert passed <= (burst + rate * now) * (1 + 1e-9) + 1e-6
        wait_s = bucket.take(amount, now)
        passed += amount
        now += wait_s + pause_s


@given(st.floats(0.1, 1000), st.floats(1, 1000), st.lists(st.floats(0, 5), max_size=60))
def test_whole_units_never_pass_rate_and_burst(rate: float, burst: float, pauses: list[float]) -> None:
    bucket, now, passed = Bucket(rate, burst, 0.0), 0.0, 0
    for pause_s in pauses:
        passed += bucket.take_whole(1, now)
        assert passed <= (burst + rate * now) * (1 + 1e-9) + 1e-6
        now += pause_s


def test_another_rate_forgets_nothing_that_was_used() -> None:
    bucket = Bucket(1, 10, 0.0)
    bucket.take(8, 0.0)
    bucket.set(2, 20, 0.0)
    assert bucket.level(0.0) == 12
    assert bucket.level(100.0) == 20
    bucket.set(2, 5, 0.0)
    assert bucket.level(0.0) == -3


def _flood(meter: Meter, now: float, seconds: float) -> float:
    """Send as fast as the meter lets one until it cuts; returns when that was, or the end."""
    end = now + seconds
    while now < end:
        now += meter.take(500, now, PATIENCE)
        if meter.cut_s(now):
            return now
    return now


def test_within_the_burst_nobody_waits_and_above_it_the_rate_holds() -> None:
    meter = Meter(RATES, 0.0)
    assert [meter.take(100, 0.0, PATIENCE) for _ in range(20)] == [0.0] * 20
    assert meter.take(100, 0.0, PATIENCE) == pytest.approx(0.1)


def test_large_stanzas_wait_for_their_bytes() -> None:
    meter = Meter(RATES, 0.0)
    assert meter.take(50_000, 0.0, PATIENCE) == 0.0
    assert meter.take(5_000, 0.0, PATIENCE) == pytest.approx(0.5)


def test_a_backlog_is_slowed_and_not_cut() -> None:
    meter = Meter(RATES, 0.0)
    now = _flood(meter, 0.0, 25.0)
    assert not meter.cut_s(now)
    # Below its rate for as long as half of the burst takes: the next backlog begins anew.
    assert meter.take(500, now + 3.0, PATIENCE) == 0.0
    assert not meter.cut_s(_flood(meter, now + 3.0, 25.0))


def test_a_flood_is_cut_for_a_growing_time() -> None:
    meter, now, cuts = Meter(RATES, 0.0), 0.0, []
    for _ in range(5):
        now = _flood(meter, now, 100.0)
        cuts.append(meter.cut_s(now))
        now += cuts[-1]
        assert meter.cut_s(now) == 0.0
    assert cuts == pytest.approx([60, 120, 240, 480, 500], abs=0.2)


def test_cuts_are_forgiven_one_by_one() -> None:
    meter, now = Meter(RATES, 0.0), 0.0
    for _ in range(3):
        now = _flood(meter, now, 100.0)
        now += meter.cut_s(now)
    assert meter.cuts == 3
    assert not meter.is_idle(now + 599, PATIENCE)
    assert meter.cuts == 3
    assert not meter.is_idle(now + 601, PATIENCE)
    assert meter.cuts == 2
    now = _flood(meter, now + 601, 100.0)
    assert meter.cut_s(now) == pytest.approx(240, abs=0.2)
    assert meter.is_idle(now + 240 + 3 * 600 + 1, PATIENCE)


@given(st.lists(st.tuples(st.integers(1, 40_000), st.floats(0, 400)), max_size=80))
def test_a_cut_is_never_longer_than_the_longest(steps: list[tuple[int, float]]) -> None:
    meter, now = Meter(RATES, 0.0), 0.0
    for size_bytes, pause_s in steps:
        assert meter.take(size_bytes, now, PATIENCE) >= 0
        assert 0 <= meter.cut_s(now) <= PATIENCE.longest_cut_s
        now += pause_s


def test_other_rates_hold_at_once() -> None:
    meter = Meter(RATES, 0.0)
    meter.configure(Rates(1, 1, 10_000, 50_000), 0.0)
    assert meter.take(10, 0.0, PATIENCE) == 0.0
    assert meter.take(10, 0.0, PATIENCE) == pytest.approx(1.0)


def test_new_strangers_are_bounded_by_account_and_by_partner() -> None:
    limits = StrangerLimits(to_account=4, of_partner=6, messages=1000)
    throttle = StrangerThrottle()

    def take(account_id: int, sender: str, now: float = 0.0) -> StrangerRule | None:
        return throttle.take(account_id, sender, sender.partition("@")[2], limits, now)

    assert take(1, "a@spam.example") is None
    assert take(1, "a@other.example") is None
    assert take(1, "b@spam.example") is StrangerRule.ACCOUNT
    assert take(1, "a@spam.example") is None
    assert take(2, "b@spam.example") is None
    assert take(2, "c@spam.example") is None
    assert take(3, "d@spam.example") is StrangerRule.PARTNER
    assert take(3, "d@other.example") is None
    assert take(1, "b@spam.example", now=900.0) is None


def test_one_stranger_says_so_much_and_no_more() -> None:
    limits = StrangerLimits(to_account=4, of_partner=6, messages=6)
    throttle = StrangerThrottle()
    said = [throttle.take(1, "a@spam.example", "spam.example", limits, 0.0) for _ in range(4)]
    assert said == [None, None, None, StrangerRule.SENDER]
    assert throttle.take(2, "a@spam.example", "spam.example", limits, 0.0) is None
    assert throttle.take(1, "a@spam.example", "spam.example", limits, 600.0) is None
