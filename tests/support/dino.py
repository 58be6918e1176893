"""Debian's Dino, an XMPP client in Vala with GTK 4, driven by the keyboard and watched through its database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from slixmpp.exceptions import IqError
from tests.support.desktop import Desktop, DesktopServer, missing
from tests.support.limits import POLL_S
from tests.support.omemo import LEGACY
from tests.support.server import Person
from tests.support.slix import SlixClient

MISSING = missing("dino-im", "xdotool")
OMEMO = 2
RECEIVED, SENT = 0, 1
# What Dino keeps about a message that the server, or its recipient, has confirmed.
CONFIRMED = (1, 2, 3)
_CHAT, _ROOM = 0, 1
_WAIT_S = 40.0
# How long keys are waited for until they are pressed again.
_PATIENCE_S = 5.0
_MESSAGES = """
SELECT message.* FROM message JOIN jid ON jid.id = message.counterpart_id
WHERE jid.bare_jid = ? AND body != '' ORDER BY message.time, message.id
"""
_FILES = "SELECT file_transfer.* FROM file_transfer JOIN jid ON jid.id = counterpart_id WHERE jid.bare_jid = ?"


class Dino:
    """A person who uses Dino. Signed in by its database, with folders of its own."""

    def __init__(self, server: DesktopServer, person: Person) -> None:
        self.person = person
        self.desktop = Desktop(server, "dino")
        self._database = self.desktop.home / "data" / "dino" / "dino.db"
        self._window = ""

    async def start(self, sealed: Iterable[str] = (), sealed_rooms: Iterable[str] = ()) -> None:
        """Start it. It has been told before which chats and rooms are to be sealed."""
        home = self.desktop.home
        folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "CONFIG", "CACHE")}
        # Drawn without a graphics card's help, which there is none of.
        self.desktop.open({**folders, "GSK_RENDERER": "cairo"})
        # It makes its database before it looks at what it was asked.
        await self.desktop.call("dino-im", "--version")
        self._fill({**dict.fromkeys(sealed, _CHAT), **dict.fromkeys(sealed_rooms, _ROOM)})
        self.desktop.run("dino-im")
        await self._until(self._focus, bool)
        self._window = await self._focus()

    async def open_chat(self, address: str) -> None:
        """Open the chat with a person, by way of a link, and turn to it."""
        await self.desktop.call("dino-im", f"xmpp:{address}?message")
        await self._until(lambda: self._is_open(address), bool)

    async def enter_room(self, address: str, nick: str) -> None:
        """Enter a room, by way of a link and the dialog that it opens, and turn to it."""
        await self.desktop.call("dino-im", f"xmpp:{address}?join")
        async with self._dialog():
            # From the account over the address to the nickname; then over "Cancel" to "Join".
            await self.press("Tab", "Tab")
            await self.type(nick)
            await self.press("Tab", "Tab", "Return")
            await self._until(lambda: self._is_open(address), bool)

    async def send_file(self, address: str, path: Path) -> None:
        """Send a file to the chat that is open, by way of the dialog that picks it."""
        # It listens to these keys once it knows where files are sent to.
        async with self._dialog("ctrl+u"):
            await self.type(str(path))
            await self.press("Return")
        # "Send" has the focus in the question that follows, some time after it is asked.
        await self._until(lambda: self._press_until_sent(address), bool)

    async def write(self, text: str) -> None:
        """Type a text into the chat that is open and send it."""
        await self.type(text)
        await self.press("Return")

    async def may_seal(self, observer: SlixClient) -> None:
        """Wait until somebody else finds the keys of its device. What it is to seal before that, it gives up."""

        async def found() -> bool:
            devices = self._rows("SELECT device_id FROM identity WHERE account_id = ?", 1, "omemo.db")
            if not devices:
                return False
            node = f"{LEGACY}.bundles:{devices[0]['device_id']}"
            with suppress(IqError):
                answer = await observer.plugin["xep_0060"].get_items(self.person.address, node)
                return bool(answer["pubsub"]["items"]["substanzas"])
            return False

        await self._until(found, bool)

    async def type(self, text: str) -> None:
        """Press the keys that make `text`."""
        await self.desktop.call("xdotool", "type", "--delay", "2", text)

    async def press(self, *keys: str) -> None:
        """Press keys by their names."""
        await self.desktop.call("xdotool", "key", *keys)

    async def keeps(self, address: str, *texts: str) -> list[dict[str, Any]]:
        """Wait until its database has these texts of a chat or room, oldest first, and none besides."""

        async def history() -> list[dict[str, Any]]:
            return self._rows(_MESSAGES, address)

        return list(await self._until(history, lambda rows: [row["body"] for row in rows] == list(texts)))

    def files(self, address: str) -> list[dict[str, Any]]:
        """What its database has of the files of a chat."""
        return self._rows(_FILES, address)

    @asynccontextmanager
    async def _dialog(self, *keys: str) -> AsyncIterator[None]:
        """A window that opens, by these keys or of itself, has the keyboard, and gives it back as it closes."""
        asked = -_PATIENCE_S

        async def opened() -> str:
            nonlocal asked
            if keys and asked < time.monotonic() - _PATIENCE_S:
                asked = time.monotonic()
                await self.press(*keys)
            return await self._focus()

        dialog = await self._until(opened, lambda window: window not in ("", self._window))
        yield
        await self._until(self._focus, lambda window: window not in ("", dialog))
        await self.desktop.call("xdotool", "windowfocus", "--sync", self._window)

    def downloads(self) -> list[Path]:
        """The files that it fetched or sent."""
        return [path for path in self._database.with_name("files").glob("*") if path.is_file()]

    async def _press_until_sent(self, address: str) -> bool:
        if not self.files(address):
            await self.press("Return")
        return bool(self.files(address))

    async def _is_open(self, address: str) -> bool:
        query = "SELECT 1 FROM conversation JOIN jid ON jid.id = jid_id WHERE bare_jid = ? AND active = 1"
        return bool(self._rows(query, address))

    async def _focus(self) -> str:
        with suppress(AssertionError):
            return (await self.desktop.call("xdotool", "getwindowfocus")).strip()
        return ""

    async def _until(self, look: Callable[[], Any], is_so: Callable[[Any], Any]) -> Any:
        seen = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                while not is_so(seen := await look()):
                    await asyncio.sleep(5 * POLL_S)
                return seen
        raise AssertionError(f"it stayed at {seen!r}")

    def _rows(self, query: str, value: str | int, name: str = "dino.db") -> list[dict[str, Any]]:
        path = self._database.with_name(name)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, (value,))]

    def _fill(self, sealed: dict[str, int]) -> None:
        with closing(sqlite3.connect(self._database)) as database:
            account = database.execute(
                "INSERT INTO account (bare_jid, resourcepart, password, enabled, mam_earliest_synced)"
                " VALUES (?, 'dino', ?, 1, 0)",
                (self.person.address, self.person.password),
            ).lastrowid
            for address, kind in sealed.items():
                jid = database.execute("INSERT INTO jid (bare_jid) VALUES (?)", (address,)).lastrowid
                database.execute(
                    "INSERT INTO conversation (account_id, jid_id, active, type, encryption) VALUES (?, ?, 0, ?, ?)",
                    (account, jid, kind, OMEMO),
                )
            database.commit()


@asynccontextmanager
async def running(server: DesktopServer, person: Person, **sealed: Iterable[str]) -> AsyncIterator[Dino]:
    """A Dino that signs in by itself, and is stopped at the end; see `Dino.start` for what is sealed."""
    dino = Dino(server, person)
    try:
        await dino.start(**sealed)
        yield dino
    except BaseException:
        print(dino.desktop.log_tail())
        raise
    finally:
        dino.desktop.close()
