"""The demonstration: made once, reused afterwards, on loopback only."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from tests.support.limits import within
from tests.support.raw_client import RawClient
from tests.support.server import PROGRAM, free_ports

from parley.app.demonstration import prepare_people, prepare_settings
from parley.app.errors import Unwilling
from parley.base.clock import SystemClock
from parley.domain.accounts import Account
from parley.identity.sign_in import fits
from parley.storage.sqlite.store import SqliteStorage

FAST = ("login.scram_iterations=4096",)


def people(folder: Path) -> dict[str, str]:
    source, _ = prepare_settings(folder, FAST)
    return asyncio.run(prepare_people(folder, source.load()))


async def looked_up(folder: Path, address: str) -> tuple[Account, dict[str, str], list[bool]]:
    async with SqliteStorage(folder / "data" / "parley.db", SystemClock()) as storage:
        account = await storage.accounts.find(address)
        assert account is not None
        roster = await storage.rosters.load(account.id)
        password = json.loads((folder / "passwords.json").read_text())[address.partition("@")[0]]
        right = [fits(password, each) for each in await storage.accounts.credentials(address)]
        return account, {name: each.state.subscription for name, each in roster.contacts.items()}, right


def test_two_people_know_each_other_and_the_second_time_is_the_same(tmp_path):
    first = people(tmp_path / "demo")
    assert set(first) == {"alice@localhost", "bob@localhost"}
    assert stat.S_IMODE((tmp_path / "demo" / "passwords.json").stat().st_mode) == 0o600
    account, contacts, right = asyncio.run(looked_up(tmp_path / "demo", "alice@localhost"))
    assert contacts == {"bob@localhost": "both"}
    assert right == [True] * 3
    assert people(tmp_path / "demo") == first
    assert asyncio.run(looked_up(tmp_path / "demo", "alice@localhost"))[0] == account


def test_a_changed_password_is_not_claimed_to_be_known(tmp_path):
    people(tmp_path)
    command = [PROGRAM, "user", "password", "bob@localhost", "--config", str(tmp_path / "parley.toml")]
    subprocess.run(command, check=True, capture_output=True)
    found = people(tmp_path)
    assert found["bob@localhost"] == ""
    assert found["alice@localhost"]


def test_taken_ports_are_replaced(tmp_path):
    prepare_settings(tmp_path, ())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        overrides = (f'http.listen=["127.0.0.1:{port}"]', f"http.public_url=http://localhost:{port}")
        source, moved = prepare_settings(tmp_path, overrides)
    settings = source.load()
    assert settings.http.listen[0].port == moved[port] != port
    assert settings.http.public_url == f"http://localhost:{moved[port]}"


@pytest.mark.parametrize("setting", ["http.listen", "http.listen_tls", "xmpp.c2s", "xmpp.c2s_tls"])
def test_other_machines_are_kept_out(tmp_path, setting):
    with pytest.raises(Unwilling) as caught:
        prepare_settings(tmp_path, (f'{setting}=["0.0.0.0:9999"]',))
    assert caught.value.code == "not-loopback"


@within(60)
async def test_it_prints_how_to_sign_in_and_serves(tmp_path):
    http, c2s, tls = free_ports(3)
    settings = {"http.listen": http, "xmpp.c2s": c2s, "xmpp.c2s_tls": tls}
    overrides = [part for name, port in settings.items() for part in ("--set", f'{name}=["127.0.0.1:{port}"]')]
    command = [PROGRAM, "demo", "--dir", str(tmp_path / "demo"), "--json", *overrides]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        document = json.loads(await process.stdout.readline())
        alice = document["accounts"][0]
        host, _, port = document["c2s"][0].partition(":")
        client = await RawClient(host, int(port)).connect()
        await client.start_tls()
        await client.session("alice", alice["password"])
        roster = await client.iq("get", "<query xmlns='jabber:iq:roster'/>")
        assert [item.get("jid") for item in roster[0]] == ["bob@localhost"]
        await client.close()
    finally:
        process.terminate()
        assert await process.wait() == 0
