"""Debian's go-sendxmpp, an XMPP client on go-xmpp for the command line."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.server import ParleyServer, Person

PROGRAM = "go-sendxmpp"
MISSING = [] if shutil.which(PROGRAM) else [PROGRAM]


class Refused(Exception):
    """The program ended with an error; the message is what it said."""


class Reader:
    """A go-sendxmpp that prints what comes in."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def reads(self, text: str, timeout_s: float = 30) -> str:
        """Wait for a line with that text and return it. Raises AssertionError with what came instead."""
        assert self._process.stdout is not None
        lines: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while line := (await self._process.stdout.readline()).decode():
                    if text in line:
                        return line
                    lines.append(line)
        raise AssertionError(f"{text!r} did not come in, but:\n{''.join(lines)}")


class GoSendxmpp:
    """A person who uses go-sendxmpp.

    Args:
        folder: its home.
        transport: "starttls" or "tls".
    """

    def __init__(self, server: ParleyServer, person: Person, folder: Path, transport: str = "starttls") -> None:
        self.person = person
        port = server.tls_port if transport == "tls" else server.c2s_port
        self._command = [PROGRAM, "-u", person.address, "-p", person.password, "-j", f"127.0.0.1:{port}", "-n"]
        if transport == "tls":
            self._command.append("-t")
        self._environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}

    async def send(self, *arguments: str, text: str = "") -> None:
        """Sign in, send `text` or what the arguments name, and leave. Raises Refused."""
        process = await self._start(*arguments)
        _, said = await process.communicate(text.encode())
        if process.returncode != 0:
            raise Refused(said.decode())

    @asynccontextmanager
    async def reading(self, *arguments: str) -> AsyncIterator[Reader]:
        """Stay signed in and print what the persons or rooms that are named write."""
        process = await self._start("-l", *arguments)
        try:
            yield Reader(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self, *arguments: str) -> Process:
        is_listening = "-l" in arguments
        return await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=DEVNULL if is_listening else PIPE,
            stdout=PIPE,
            stderr=None if is_listening else PIPE,
            env=self._environment,
        )
