"""Debian's poezio, an XMPP client on an old slixmpp, driven through its terminal."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.limits import until
from tests.support.server import ParleyServer, Person
from tests.support.terminal import Terminal

PROGRAMS = ("poezio", "setpriv", "tmux")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
NOBODY = 65534
# How much of a line is looked for in the input field, the screen's last line: it shows the end of a long one.
_SEEN = 40


class Poezio(Terminal):
    """A person who uses poezio. Signed in by its configuration, with folders of its own."""

    def __init__(self, server: ParleyServer, person: Person) -> None:
        super().__init__()
        self._server = server
        self._person = person
        # It refuses to run as root, and pytest's folders can be entered by their owner only.
        self._home = Path(tempfile.mkdtemp(prefix="parley-poezio-"))

    def start(self) -> None:
        certificate = self._home / "certificate.pem"
        shutil.copyfile(self._server.config.parent / "certs" / "fullchain.pem", certificate)
        settings = {
            "jid": self._person.address,
            "password": self._person.password,
            "custom_host": "127.0.0.1",
            "custom_port": self._server.c2s_port,
            "ca_cert_path": certificate,
            "ignore_certificate": "true",
            "default_nick": "poe",
        }
        folder = self._home / ".config" / "poezio"
        folder.mkdir(parents=True)
        lines = ("[Poezio]", *(f"{name} = {value}" for name, value in settings.items()), "")
        (folder / "poezio.cfg").write_text("\n".join(lines))
        program = ["poezio"]
        if os.geteuid() == 0:
            for path in (self._home, *self._home.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            program = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *program]
        self.run(program, {"HOME": str(self._home), "TERM": "screen-256color", "PATH": os.environ["PATH"]})

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._home, ignore_errors=True)

    async def type(self, line: str) -> None:
        """Type a line and press Enter, waiting for each to be seen.

        What comes at once is a paste to it, in which a slash begins no command and a line's end sends nothing.
        """
        end = line[-_SEEN:]
        self.keys(line[0])
        await self.shows_by(lambda screen: screen.rstrip().endswith(line[0]), f"{line[0]!r} in the input field")
        if rest := line[1:]:
            self.keys(rest)
            await self.shows_by(lambda screen: screen.rstrip().endswith(end), f"{end!r} in the input field")
        self.enter()
        await self.shows_by(lambda screen: not screen.rstrip().endswith(end), "an empty input field")

    async def signed_in(self) -> None:
        """Wait until it is."""
        await self.shows(f"Your JID is {self._person.address}", timeout_s=60)


@asynccontextmanager
async def running(server: ParleyServer, person: Person) -> AsyncIterator[Poezio]:
    """A poezio that is signed in, and is stopped at the end. What was said before is in archives for it.

    It asks them for what was said until now and cuts the second's fraction off, so that it never sees what was said in
    the same second.
    """
    begun = int(time.time())
    await until(lambda: int(time.time()) > begun)
    poezio = Poezio(server, person)
    try:
        poezio.start()
        await poezio.signed_in()
        yield poezio
    finally:
        poezio.stop()
