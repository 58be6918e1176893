"""Runs a server until it is told to stop, in the foreground.

SIGTERM and SIGINT drain: clients are told, what they sent is stored, and the process ends. A second one ends it at
once; what was acknowledged is on disk all the same. SIGHUP reloads.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import uvloop

from parley.app.wiring import Server, set_up_logs
from parley.base import log as logs
from parley.base.config import unused_settings

if TYPE_CHECKING:
    from parley.app.source import SettingsSource

log = logs.get(__name__)

_PRIVATE: Final = 0o077
_STOP_WITHIN_S: Final = 9.5
"""From the first signal to the end, whatever does not come to an end: less than the ten seconds that are promised."""

Prepare = Callable[[Server], Awaitable[None]]
"""Is called once the server is ready."""


def serve(source: SettingsSource, when_ready: Prepare | None = None) -> None:
    """Run a server until a signal ends it.

    Args:
        source: where the settings come from.
        when_ready: is awaited once the server is ready.

    Raises:
        ServiceFailedError: a part that the server cannot do without failed.
        ParleyError: the server could not start; see `Server`.
    """
    settings = source.load()
    set_up_logs(settings)
    for path in unused_settings(settings):
        log.warning("this setting has no effect in this release", setting=path)
    os.umask(_PRIVATE)
    _allow_open_files()
    run = _Run(source, when_ready)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run.run())
    finally:
        run.ended()


def _allow_open_files() -> None:
    """Use what the system allows: the usual limit at the start is far below it, and each client is an open file."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


class _Run:
    """One run of a server, with its signals."""

    def __init__(self, source: SettingsSource, when_ready: Prepare | None) -> None:
        self._source = source
        self._when_ready = when_ready
        self._server: Server | None = None
        self._stopping = asyncio.Event()
        # In a thread of its own: what hangs may be the loop.
        self._guard = threading.Timer(_STOP_WITHIN_S, _end_now)
        self._guard.daemon = True

    def ended(self) -> None:
        """Everything is closed, and what calls may go on."""
        self._guard.cancel()

    async def run(self) -> None:
        """Start, wait, drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        async with Server(self._source) as server:
            self._server = server
            if self._when_ready is not None and not self._stopping.is_set():
                await self._when_ready(server)
            try:
                await self._wait(server)
            finally:
                self._server = None
                await server.drain()
        log.info("server has stopped")

    async def _wait(self, server: Server) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                failure = group.create_task(server.supervisor.wait_failed())
                await self._stopping.wait()
                failure.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _stop(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            log.warning("stopped at once")
            os._exit(1)
        log.info("server is stopping", signal=number.name)
        self._guard.start()
        self._stopping.set()

    def _reload(self) -> None:
        if self._server is not None:
            self._server.supervisor.spawn("reload", self._server.reload())


def _end_now() -> None:
    # A disk that hangs, for instance. Whatever was acknowledged is stored: the next start finds it.
    log.error("not everything has ended in time", code="stop-overdue")
    os._exit(0)
