"""Debian's profanity, an XMPP client on libstrophe and libomemo-c, driven through tmux as a person would."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.limits import POLL_S
from tests.support.server import ParleyServer, Person

PROGRAMS = ("profanity", "tmux")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
COLUMNS, LINES = 160, 50


class Profanity:
    """One profanity in a terminal of its own, with its own folders."""

    def __init__(self, folder: Path) -> None:
        self._name = f"parley-{secrets.token_hex(4)}"
        self._folder = folder

    def start(self) -> None:
        environment = {
            "HOME": self._folder,
            "XDG_CONFIG_HOME": self._folder / "config",
            "XDG_DATA_HOME": self._folder / "data",
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "PATH": os.environ["PATH"],
        }
        for part in ("config", "data"):
            (self._folder / part).mkdir(parents=True)
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", str(COLUMNS), "-y", str(LINES)),
            *("env", "-i", *(f"{name}={value}" for name, value in environment.items()), "profanity"),
        )

    def stop(self) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-t", "main", "-l", line)
        self._tmux("send-keys", "-t", "main", "Enter")

    def screen(self) -> str:
        """What the terminal shows."""
        return self._tmux("capture-pane", "-p", "-t", "main")

    async def shows(self, text: str, timeout_s: float = 30) -> str:
        """Wait until the screen shows a text, and return the screen. Raises AssertionError with it otherwise."""
        try:
            async with asyncio.timeout(timeout_s):
                while text not in (screen := self.screen()):
                    await asyncio.sleep(5 * POLL_S)
                return screen
        except TimeoutError:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.screen()}") from None

    async def sign_in(self, server: ParleyServer, person: Person) -> None:
        """Connect with TLS and sign in."""
        self.type("/clear")
        self.type(f"/connect {person.address} server 127.0.0.1 port {server.c2s_port} tls trust")
        await self.shows("Enter password")
        self.type(person.password)
        # The title's words.
        await self.shows("[TLS] [online]")

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], check=True, capture_output=True, text=True)
        return done.stdout


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
