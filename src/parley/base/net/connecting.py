"""Connecting to a host with several addresses: several at a time, a little apart (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final

_ATTEMPT_DELAY_S: Final = 0.25
_UNANSWERED_MS: Final = 90_000

_Attempt = asyncio.Task["socket.socket | OSError"]


async def connect(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    """A connected TCP socket, not blocking, to the first address that answers.

    Args:
        addresses: IP addresses, those to prefer first.
        port: TCP port.
        timeout_s: for all of them together.

    Raises:
        OSError: none of them answered in time; TimeoutError is one.
    """
    attempts: list[_Attempt] = []
    winner: socket.socket | OSError = OSError("no address")
    try:
        async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as group:
            winner = await _race(deque(addresses), port, group, attempts)
            for attempt in attempts:
                attempt.cancel()
    finally:
        for attempt in attempts:
            found = attempt.result() if attempt.done() and not attempt.cancelled() else None
            if isinstance(found, socket.socket) and found is not winner:
                found.close()
    if isinstance(winner, OSError):
        raise winner
    return winner


async def _race(
    waiting: deque[str], port: int, group: asyncio.TaskGroup, attempts: list[_Attempt]
) -> socket.socket | OSError:
    running: set[_Attempt] = set()
    error = OSError("no address")
    while running or waiting:
        if waiting:
            attempt = group.create_task(_open(waiting.popleft(), port))
            attempts.append(attempt)
            running.add(attempt)
        # RFC 8305 §5: the next one starts when one has failed, or after a while.
        delay_s = _ATTEMPT_DELAY_S if waiting else None
        done, running = await asyncio.wait(running, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
        for finished in done:
            outcome = finished.result()
            if isinstance(outcome, socket.socket):
                return outcome
            error = outcome
    return error


async def _open(address: str, port: int) -> socket.socket | OSError:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with contextlib.ExitStack() as undone:
            connection = undone.enter_context(socket.socket(family, socket.SOCK_STREAM))
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # What is sent into the void is noticed, also where no protocol above asks whether it arrived.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED_MS)
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
            # From here on it is the caller's; till here it closed whatever happened, cancellation too.
            undone.pop_all()
            return connection
    except OSError as error:
        return error
