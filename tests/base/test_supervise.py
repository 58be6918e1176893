import asyncio

import pytest

from parley.base.clock import VirtualClock
from parley.base.errors import ServiceFailedError, SupervisorClosedError
from parley.base.supervise import ESSENTIAL, RestartPolicy, Supervisor


async def settle(condition) -> None:
    """Let the loop turn until the condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("the loop settled without the expected state")


class Crasher:
    """A service that crashes as often as told and then runs until cancelled."""

    def __init__(self, crashes: int, error: BaseException | None = None) -> None:
        self.crashes = crashes
        self.error = error or RuntimeError("boom")
        self.starts = 0
        self.is_running = False

    async def __call__(self) -> None:
        self.starts += 1
        if self.starts <= self.crashes:
            raise self.error
        self.is_running = True
        await asyncio.Event().wait()


async def test_a_crashed_service_is_restarted_with_a_growing_wait():
    clock = VirtualClock()
    service = Crasher(3)
    async with Supervisor(clock) as supervisor:
        supervisor.service("cursor", service, RestartPolicy(first_delay_s=1.0, longest_delay_s=3.0))
        for delay_s, starts in ((1.0, 1), (2.0, 2), (3.0, 3)):
            await settle(lambda: clock.sleepers == 1)
            assert service.starts == starts
            clock.advance(delay_s - 0.01)
            await asyncio.sleep(0)
            assert clock.sleepers == 1
            clock.advance(0.01)
            await settle(lambda: clock.sleepers == 0)
        await settle(lambda: service.is_running)
        assert (supervisor.failures, supervisor.restarts, supervisor.running) == (3, 3, 1)
    assert supervisor.running == 0


async def test_a_long_healthy_run_resets_the_wait():
    clock = VirtualClock()
    crash = asyncio.Event()

    async def run() -> None:
        await crash.wait()
        crash.clear()
        raise RuntimeError("boom")

    async with Supervisor(clock) as supervisor:
        supervisor.service("cursor", run, RestartPolicy(first_delay_s=1.0, forget_after_s=60.0, attempts=2))
        for restarts in (1, 2, 3):
            await asyncio.sleep(0)
            clock.advance(61)
            crash.set()
            await settle(lambda: clock.sleepers == 1)
            clock.advance(1.0)
            await settle(lambda count=restarts: supervisor.restarts == count)


async def test_a_service_may_end_by_itself():
    starts = []

    async def run() -> None:
        starts.append(1)

    async with Supervisor(VirtualClock()) as supervisor:
        await supervisor.service("once", run)
        assert starts == [1]
        assert (supervisor.failures, supervisor.restarts) == (0, 0)


async def test_a_cancellation_that_nobody_sent_counts_as_a_crash():
    clock = VirtualClock()
    service = Crasher(1, asyncio.CancelledError())
    async with Supervisor(clock) as supervisor:
        supervisor.service("cursor", service)
        await settle(lambda: clock.sleepers == 1)
        clock.advance(1)
        await settle(lambda: service.is_running)
        assert supervisor.failures == 1


async def test_the_crash_of_an_essential_service_reaches_who_waits():
    service = Crasher(1)
    async with Supervisor(VirtualClock()) as supervisor:
        supervisor.service("writer", service, ESSENTIAL)
        with pytest.raises(ServiceFailedError) as caught:
            await supervisor.wait_failed()
    assert caught.value.name == "writer"
    assert caught.value.__cause__ is service.error
    assert service.starts == 1


async def test_failed_background_work_is_counted_and_harms_nothing_else():
    async def fail() -> None:
        raise RuntimeError("boom")

    async def work() -> int:
        return 7

    async with Supervisor(VirtualClock()) as supervisor:
        failed = supervisor.spawn("doomed", fail())
        assert await supervisor.spawn("fine", work()) == 7
        await asyncio.wait([failed])
        await settle(lambda: supervisor.running == 0)
        assert supervisor.failures == 1


async def test_work_stops_first_then_services_in_reverse_order():
    stopped = []

    def until_cancelled(name):
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                stopped.append(name)

        return run

    async with Supervisor(VirtualClock()) as supervisor:
        supervisor.service("store", until_cancelled("store"))
        supervisor.service("listener", until_cancelled("listener"))
        supervisor.spawn("connection", until_cancelled("connection")())
        await asyncio.sleep(0)
    assert stopped == ["connection", "listener", "store"]


async def test_the_end_waits_no_longer_than_its_deadline(caplog):
    release = asyncio.Event()

    async def deaf() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with Supervisor(VirtualClock(), stop_timeout_s=0.0) as supervisor:
        task = supervisor.spawn("deaf", deaf())
        await asyncio.sleep(0)
    assert not task.done()
    assert "task did not stop in time" in caplog.text
    release.set()
    await task


async def test_a_cancelled_owner_still_stops_everything_and_stays_cancelled():
    is_stopped = False
    started = asyncio.Event()
    stopping = asyncio.Event()
    release = asyncio.Event()

    async def slow_to_stop() -> None:
        nonlocal is_stopped
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await release.wait()
            is_stopped = True

    async def owner() -> None:
        async with Supervisor(VirtualClock()) as supervisor:
            supervisor.service("slow", slow_to_stop)
            started.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(owner())
    await stopping.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert is_stopped


async def test_nothing_starts_before_or_after():
    ran = []

    async def work() -> None:
        ran.append(1)

    supervisor = Supervisor(VirtualClock())
    with pytest.raises(SupervisorClosedError):
        supervisor.service("early", work)
    with pytest.raises(SupervisorClosedError):
        await supervisor.wait_failed()
    async with supervisor:
        pass
    with pytest.raises(SupervisorClosedError):
        supervisor.spawn("late", work())
    assert ran == []


def test_the_wait_is_bounded_after_any_number_of_crashes():
    policy = RestartPolicy(first_delay_s=0.1, longest_delay_s=30.0)
    assert [policy.delay_s(n) for n in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert policy.delay_s(10_000) == 30.0
