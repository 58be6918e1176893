"""Debian's profanity, an XMPP client on libstrophe and libomemo-c, driven through its terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.server import ParleyServer, Person
from tests.support.terminal import Terminal

PROGRAMS = ("profanity", "tmux")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]


class Profanity(Terminal):
    """One profanity with its own folders."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def start(self) -> None:
        environment = {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_DATA_HOME": str(self._folder / "data"),
            "TERM": "xterm",
            "PATH": os.environ["PATH"],
        }
        for part in ("config", "data"):
            (self._folder / part).mkdir(parents=True)
        self.run(["profanity"], environment)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self.keys(line)
        self.enter()

    async def sign_in(self, server: ParleyServer, person: Person) -> None:
        """Connect with TLS and sign in."""
        self.type("/clear")
        self.type(f"/connect {person.address} server 127.0.0.1 port {server.c2s_port} tls trust")
        await self.shows("Enter password")
        self.type(person.password)
        # The title's words.
        await self.shows("[TLS] [online]")


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Profanity]:
    """A profanity that is stopped at the end."""
    profanity = Profanity(folder)
    profanity.start()
    try:
        await profanity.shows("Profanity")
        yield profanity
    finally:
        profanity.stop()
