"""Debian's Gajim, an XMPP client on nbxmpp and GTK, driven by a plug-in of ours (`gajim_driver.py`)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from tests.support.desktop import Desktop, DesktopServer, missing
from tests.support.limits import POLL_S
from tests.support.server import Person

MISSING = missing("gajim")
HAS_OMEMO = Path("/usr/share/gajim/plugins/omemo").exists()
_DRIVER = Path(__file__).with_name("gajim_driver.py")
_MANIFEST = {
    "authors": [],
    "description": "Drives Gajim",
    "homepage": "",
    "config_dialog": False,
    "name": "Driver",
    "platforms": ["others", "linux"],
    "requirements": ["gajim>=1.5.0"],
    "short_name": "driver",
    "version": "1",
}
# What Gajim 1.7 makes on its first start.
_SETTINGS = """
CREATE TABLE settings (name TEXT UNIQUE, settings TEXT);
CREATE TABLE account_settings (account TEXT UNIQUE, settings TEXT);
PRAGMA user_version = 5;
"""
_WORKSPACE = {"name": "Everybody", "color": "rgb(191,0,0)", "avatar_sha": "", "chats": []}
_WORKSPACES = {"6e0a0b5c-3b0e-4b0e-9d1d-0d4f3c1f5b11": _WORKSPACE}


class Gajim:
    """A person who uses Gajim. Signed in by its settings, with folders of its own."""

    def __init__(self, server: DesktopServer, person: Person) -> None:
        self.person = person
        self.desktop = Desktop(server, "gajim")
        self.profile = self.desktop.home / "profile"
        self._socket = self.desktop.home / "driver"

    def start(self) -> None:
        plugin = self.profile / "plugins" / "driver"
        plugin.mkdir(parents=True)
        (plugin / "__init__.py").write_text("from driver.plugin import Driver\n")
        (plugin / "plugin.py").write_text(_DRIVER.read_text())
        (plugin / "plugin-manifest.json").write_text(json.dumps(_MANIFEST))
        self._write_settings()
        self.desktop.open({"GAJIM_DRIVER": str(self._socket)})
        self._run()

    async def start_again(self) -> None:
        """Start it, after it was killed, with what it kept, and wait until it is signed in."""
        self._socket.unlink()
        self._run()
        await self.signed_in()

    async def does(self, name: str, *arguments: Any) -> Any:
        """Have a function of the driver run, and return what it returned."""
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write(json.dumps([name, *arguments]).encode() + b"\n")
            answer = json.loads(await reader.readline())
        finally:
            writer.close()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    async def waits(self, name: str, *arguments: Any, by: Callable[[Any], Any] = bool, timeout_s: float = 40) -> Any:
        """Have a function run again and again until what it returns is as `by` wants it."""
        result = None
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not by(result := await self.does(name, *arguments)):
                    await asyncio.sleep(5 * POLL_S)
                return result
        raise AssertionError(f"{name}{arguments} returned {result!r}")

    async def signed_in(self, timeout_s: float = 60) -> None:
        """Wait until it is."""

        async def hears() -> bool:
            # The socket is there before anybody listens at it.
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return bool(await self.does("is_online"))
            return False

        async with asyncio.timeout(timeout_s):
            while not await hears():
                await asyncio.sleep(5 * POLL_S)

    async def shows(self, text: str, name: str | None = None) -> list[list[str]]:
        """Wait until the chat that is open shows a text, by whom that is given; returns who said what."""
        return list(
            await self.waits("shown", by=lambda rows: any(text in said and name in (None, who) for who, said in rows))
        )

    async def keeps(self, address: str, *texts: str) -> list[dict[str, Any]]:
        """Wait until its own history of a chat or room has these texts, oldest first, and none besides."""
        rows: list[dict[str, Any]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(40):
                while True:
                    rows = self._history(address)
                    if [row["message"] for row in rows] == list(texts):
                        return rows
                    await asyncio.sleep(5 * POLL_S)
        raise AssertionError(f"its history is {rows}")

    def downloads(self) -> list[Path]:
        """The files that it fetched."""
        return [path for path in (self.profile / "downloads").glob("*") if path.is_file()]

    def _history(self, address: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.profile / 'logs.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(
                "SELECT logs.* FROM logs JOIN jids USING (jid_id) WHERE jid = ? AND message != ''"
                " ORDER BY time, log_line_id",
                (address,),
            )
            return [dict(row) for row in rows]

    def _run(self) -> None:
        self.desktop.run("gajim", "--config-path", str(self.profile))

    def _write_settings(self) -> None:
        name, _, domain = self.person.address.partition("@")
        account = {
            "name": name,
            "hostname": domain,
            "password": self.person.password,
            "account_label": self.person.address,
            "active": True,
        }
        application = {"use_keyring": False, "check_for_update": False, "workspace_order": list(_WORKSPACES)}
        plugins = {"driver": {"active": True}, "omemo": {"active": True}}
        with closing(sqlite3.connect(self.profile / "settings.sqlite")) as database:
            database.executescript(_SETTINGS)
            subjects = {
                "app": application,
                "plugins": plugins,
                "workspaces": _WORKSPACES,
                "soundevents": {},
                "status_presets": {},
                "proxies": {},
            }
            database.executemany(
                "INSERT INTO settings VALUES (?, ?)", [(key, json.dumps(value)) for key, value in subjects.items()]
            )
            settings = {"account": account, "contact": {}, "group_chat": {}}
            database.execute("INSERT INTO account_settings VALUES ('main', ?)", (json.dumps(settings),))
            database.commit()


@asynccontextmanager
async def running(server: DesktopServer, person: Person) -> AsyncIterator[Gajim]:
    """A Gajim that is signed in, and is stopped at the end."""
    gajim = Gajim(server, person)
    try:
        gajim.start()
        await gajim.signed_in()
        yield gajim
    except BaseException:
        print(gajim.desktop.log_tail())
        raise
    finally:
        gajim.desktop.close()
