"""The one module that starts tasks.

A `Supervisor` owns every task of the process that is not inside an `asyncio.TaskGroup`. It names them, restarts
services that crash, reports background work that fails, and stops everything at its end: first the one-shot work, all
at once, then the services one by one in the reverse order of their start. Cancellation always passes through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from parley.base import log as logs
from parley.base.clock import Clock
from parley.base.errors import ServiceFailedError, SupervisorClosedError

T = TypeVar("T")
Service = Callable[[], Awaitable[None]]
"""A service: called without arguments for each start, runs until it is cancelled or done."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What happens after a service has crashed.

    Attributes:
        first_delay_s: wait before the first restart, in seconds.
        longest_delay_s: the wait doubles with every crash up to this many seconds.
        forget_after_s: a service that ran this long counts as healthy: the wait starts over.
        attempts: crashes in a row after which the whole supervisor fails; None for never, 1 for at once.
    """

    first_delay_s: float = 0.1
    longest_delay_s: float = 30.0
    forget_after_s: float = 60.0
    attempts: int | None = None

    def delay_s(self, crashes: int) -> float:
        """Return the wait in seconds after this many crashes in a row (1 or more)."""
        return min(self.first_delay_s * 2.0 ** min(crashes - 1, 60), self.longest_delay_s)


ESSENTIAL = RestartPolicy(attempts=1)
"""For services that the process cannot do without: the first crash ends the process."""


class Supervisor:
    """Starts, watches and stops tasks. An async context manager.

    Args:
        clock: measures how long a service ran, and waits between restarts.
        stop_timeout_s: at the end, all tasks together get this many seconds to finish after being cancelled.
    """

    def __init__(self, clock: Clock, stop_timeout_s: float = 10.0) -> None:
        self._clock = clock
        self._stop_timeout_s = stop_timeout_s
        self._services: list[asyncio.Task[None]] = []
        self._work: set[asyncio.Task[Any]] = set()
        self._is_open = False
        self._failure: asyncio.Future[None] | None = None
        self.restarts = 0
        self.failures = 0

    @property
    def running(self) -> int:
        """How many tasks are running, services and background work together."""
        return len(self._work) + sum(not task.done() for task in self._services)

    async def __aenter__(self) -> Self:
        self._failure = asyncio.get_running_loop().create_future()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def service(self, name: str, run: Service, policy: RestartPolicy | None = None) -> asyncio.Task[None]:
        """Keep `run()` running until the supervisor ends or `run()` returns.

        Args:
            name: for logs, for instance `archive cursor`.
            run: called again after every crash.
            policy: how often and how soon; restarts for ever with a growing wait when not given.

        Returns:
            The task, to be cancelled by who wants this service to stop early.

        Raises:
            SupervisorClosedError: before the supervisor is entered and once it is stopping.
        """
        if not self._is_open:
            raise SupervisorClosedError(name)
        task = asyncio.create_task(self._keep(name, run, policy or RestartPolicy()), name=name)
        self._services.append(task)
        return task

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run one piece of background work; a failure is logged and counted.

        Args:
            name: for logs, static: `connection`, not `connection 17`.
            work: a coroutine that ends by itself or when cancelled.

        Returns:
            The task; it may be awaited or cancelled, or left alone.

        Raises:
            SupervisorClosedError: before the supervisor is entered and once it is stopping; `work` is closed unrun.
        """
        if not self._is_open:
            work.close()
            raise SupervisorClosedError(name)
        task = asyncio.create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._work_done)
        return task

    async def wait_failed(self) -> None:
        """Wait until a service has used up its attempts; never returns otherwise.

        Raises:
            ServiceFailedError: with the service's own error as its cause.
        """
        if self._failure is None:
            raise SupervisorClosedError("wait_failed")
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Cancel everything and wait for it; safe to call twice. A task that outlives the deadline is logged."""
        self._is_open = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_timeout_s
        interrupted: asyncio.CancelledError | None = None
        for group in [list(self._work), *([task] for task in reversed(self._services))]:
            interrupted = await _stop_group(group, deadline) or interrupted
        self._services.clear()
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()
        if interrupted is not None:
            raise interrupted

    async def _keep(self, name: str, run: Service, policy: RestartPolicy) -> None:
        crashes = 0
        while True:
            started = self._clock.monotonic()
            try:
                await run()
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                    raise
                if self._clock.monotonic() - started >= policy.forget_after_s:
                    crashes = 0
                crashes += 1
                self.failures += 1
                if policy.attempts is not None and crashes >= policy.attempts:
                    self._fail(name, error)
                    return
                delay_s = policy.delay_s(crashes)
                log.defect("service crashed", error, service=name, crashes=crashes, restart_in_s=delay_s)
            else:
                log.debug("service ended", service=name)
                return
            await self._clock.sleep(delay_s)
            self.restarts += 1

    def _fail(self, name: str, error: BaseException) -> None:
        log.defect("service failed for good", error, service=name)
        if self._failure is None or self._failure.done():
            return
        failure = ServiceFailedError(name)
        failure.__cause__ = error
        self._failure.set_exception(failure)
        # Marks the exception as seen: it is in the log even when nobody waits for it.
        self._failure.exception()

    def _work_done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.failures += 1
            log.defect("background work failed", error, work=task.get_name())


def _is_being_cancelled() -> bool:
    # A CancelledError that nobody sent to this task came out of something the service awaited: that is a crash.
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _stop_group(tasks: list[asyncio.Task[Any]], deadline: float) -> asyncio.CancelledError | None:
    """Cancel tasks and wait for them until the loop's time `deadline`.

    Returns:
        The cancellation that reached the caller meanwhile, for it to raise when all is stopped.
    """
    interrupted: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    for task in tasks:
        task.cancel()
    pending = {task for task in tasks if not task.done()}
    while pending:
        remaining_s = deadline - loop.time()
        if remaining_s <= 0:
            for task in pending:
                log.error("task did not stop in time", task=task.get_name())
            break
        try:
            _, pending = await asyncio.wait(pending, timeout=remaining_s)
        except asyncio.CancelledError as error:
            interrupted = error
            pending = {task for task in pending if not task.done()}
    return interrupted
