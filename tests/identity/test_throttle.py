"""Throttling, in virtual time."""

from __future__ import annotations

from parley.base.clock import VirtualClock
from parley.base.throttle import TokenBucket
from parley.identity.throttle import Throttle


def test_a_key_is_refused_from_the_limit_on_until_its_failures_are_old() -> None:
    clock = VirtualClock()
    throttle = Throttle(3, 60, clock.monotonic)
    for _ in range(2):
        throttle.failed("alice")
    assert throttle.retry_after_s("alice") == 0
    throttle.failed("alice")
    assert throttle.retry_after_s("alice") == 60
    assert throttle.retry_after_s("bob") == 0
    clock.advance(59)
    assert throttle.retry_after_s("alice") == 1
    clock.advance(1)
    assert throttle.retry_after_s("alice") == 0


def test_failures_fall_out_of_the_window_one_by_one() -> None:
    clock = VirtualClock()
    throttle = Throttle(2, 60, clock.monotonic)
    throttle.failed("alice")
    clock.advance(40)
    throttle.failed("alice")
    assert throttle.retry_after_s("alice") == 20
    clock.advance(20)
    assert throttle.retry_after_s("alice") == 0
    throttle.failed("alice")
    assert throttle.retry_after_s("alice") == 40


def test_success_forgets() -> None:
    clock = VirtualClock()
    throttle = Throttle(1, 60, clock.monotonic)
    throttle.failed("alice")
    throttle.succeeded("alice")
    assert throttle.retry_after_s("alice") == 0


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    clock = VirtualClock()
    throttle = Throttle(1, 60, clock.monotonic)
    throttle.failed("alice")
    clock.jump_wall(-86_400)
    assert throttle.retry_after_s("alice") == 60
    clock.jump_wall(10 * 86_400)
    assert throttle.retry_after_s("alice") == 60


def test_a_flood_of_keys_is_bounded() -> None:
    clock = VirtualClock()
    throttle = Throttle(1, 60, clock.monotonic)
    for number in range(30_000):
        throttle.failed(str(number))
    assert throttle.retry_after_s("0") == 0
    assert throttle.retry_after_s("29999") > 0


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    clock = VirtualClock()
    bucket = TokenBucket(100, 1000, clock.monotonic)
    assert bucket.take(1000) == 0
    assert bucket.take(50) == 0.5
    clock.advance(1)
    assert bucket.take(0) == 0
    clock.advance(1000)
    assert bucket.take(1000) == 0
    assert bucket.take(100) == 1
