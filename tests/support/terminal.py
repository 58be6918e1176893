"""A program in a terminal of its own, driven through tmux as a person would."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence

from tests.support.limits import POLL_S

COLUMNS, LINES = 160, 50


class Terminal:
    """One terminal with one program; nothing of the tester's own settings reaches it."""

    def __init__(self) -> None:
        self._name = f"parley-{secrets.token_hex(4)}"

    def run(self, program: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the program with that environment and nothing else."""
        settings = {"LANG": "C.UTF-8", **environment}
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", str(COLUMNS), "-y", str(LINES)),
            *("env", "-i", *(f"{name}={value}" for name, value in settings.items()), *program),
        )

    def stop(self) -> None:
        """End the program and the terminal."""
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def keys(self, text: str) -> None:
        """Press the keys that make `text`."""
        self._tmux("send-keys", "-t", "main", "-l", text)

    def enter(self) -> None:
        """Press Enter."""
        self._tmux("send-keys", "-t", "main", "Enter")

    def screen(self) -> str:
        """What the terminal shows."""
        return self._tmux("capture-pane", "-p", "-t", "main")

    async def shows(self, text: str, timeout_s: float = 30) -> str:
        """Wait until the screen shows a text, and return the screen. Raises AssertionError with it otherwise."""
        return await self.shows_by(lambda screen: text in screen, repr(text), timeout_s)

    async def shows_by(self, is_there: Callable[[str], bool], what: str, timeout_s: float = 30) -> str:
        """Wait until the screen is as `is_there` wants it; `what` tells what that is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_there(screen := self.screen()):
                    await asyncio.sleep(5 * POLL_S)
                return screen
        except TimeoutError:
            raise AssertionError(f"{what} is not on the screen:\n{self.screen()}") from None

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], check=True, capture_output=True, text=True)
        return done.stdout
