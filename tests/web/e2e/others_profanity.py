"""Bob at Debian's profanity, typed at and read as a person would.

Wishes (see `others_wishes.py`):
    befriend   asks for Alice's presence and lets her have his, then comes anew, so that her devices are pushed
    type LINE  types a line
    shows TEXT waits until the screen shows a text
    open       opens the conversation with Alice
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.profanity import Profanity, running
from tests.support.server import Person
from tests.web.e2e.others_wishes import fulfil, tell

ALICE = "alice@localhost"
BOB = Person("bob@localhost", "secret")


class Bob:
    """Does what a scenario wishes."""

    def __init__(self, profanity: Profanity, server: Any) -> None:
        self._profanity = profanity
        self._server = server

    async def sign_in(self) -> None:
        """Come for the first time, and make keys."""
        await self._profanity.sign_in(self._server, BOB)
        self._profanity.type("/omemo policy automatic")
        self._profanity.type("/omemo trustmode blind")
        self._profanity.type("/omemo gen")
        await self._profanity.shows("materials generated")

    async def befriend(self) -> None:
        self._profanity.type(f"/sub allow {ALICE}")
        self._profanity.type(f"/sub request {ALICE}")
        await self._profanity.shows(f"Subscription received from {ALICE}")
        self._profanity.type("/disconnect")
        await self._profanity.shows("[offline]")
        await self._profanity.sign_in(self._server, BOB)

    async def open(self) -> None:
        self._profanity.type(f"/msg {ALICE}")

    async def type(self, line: str) -> None:
        self._profanity.type(line)

    async def shows(self, text: str) -> None:
        await self._profanity.shows(text, 25)


async def main() -> None:
    server: Any = SimpleNamespace(c2s_port=int(sys.argv[1]))
    async with running(Path(sys.argv[2]) / "profanity") as profanity:
        bob = Bob(profanity, server)
        await bob.sign_in()
        tell(ready=True)
        await fulfil({"befriend": bob.befriend, "open": bob.open, "type": bob.type, "shows": bob.shows})


asyncio.run(main())
