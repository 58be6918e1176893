"""slixmpp's component, and accounts from a real Prosody, against a real server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from slixmpp.componentxmpp import ComponentXMPP
from tests.app.calling import Cli
from tests.support.limits import until, within
from tests.support.server import ParleyServer, free_ports
from tests.support.slix import SlixClient, signed_in

pytestmark = pytest.mark.peer
DOMAIN, SECRET = "bridge.localhost", "a long secret"


@within(90)
async def test_a_component_answers_and_writes() -> None:
    (port,) = free_ports(1)
    settings = {
        "xmpp": [f'component = ["127.0.0.1:{port}"]'],
        "[components]": [f'name = "{DOMAIN}"', f'secret = "{SECRET}"'],
    }
    with ParleyServer(settings) as server:
        component = ComponentXMPP(DOMAIN, SECRET, "127.0.0.1", port)
        component.register_plugin("xep_0199")
        got: list[str] = []
        component.add_event_handler("message", lambda message: got.append(message["body"]))
        ready = asyncio.Event()
        component.add_event_handler("session_start", lambda _event: ready.set())
        component.connect()
        await ready.wait()
        client = SlixClient(server.person())
        async with signed_in(server, client):
            told: list[str] = []
            client.add_event_handler("message", lambda message: told.append(message["body"]))
            client.register_plugin("xep_0199")
            assert await client.plugin["xep_0199"].ping(DOMAIN) is not None
            client.send_message(f"x@{DOMAIN}", "hello", mtype="chat")
            await until(lambda: got == ["hello"])
            component.send_message(client.boundjid.bare, "ho", mfrom=f"x@{DOMAIN}", mtype="chat")
            await until(lambda: told == ["ho"])
        await component.disconnect()


@pytest.mark.skipif(shutil.which("prosodyctl") is None, reason="needs Prosody")
def test_accounts_of_a_real_prosody(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    config = tmp_path / "prosody.cfg.lua"
    config.write_text(
        f'run_as_root = true; data_path = "{data}"; pidfile = "{tmp_path}/pid"\n'
        f'authentication = "internal_hashed"; password_hash = "SHA-256"; log = "{tmp_path}/log"\n'
        'VirtualHost "example.org"\n'
    )
    for name in ("Juliet", "Jürgen"):
        arguments = ["prosodyctl", "--root", "--config", str(config), "register", name, "example.org", "s3crEt"]
        subprocess.run(arguments, check=True, capture_output=True, timeout=60)
    imported = cli.json("user", "import-prosody", data)
    assert sorted(imported["imported"]) == ["juliet@example.org", "jürgen@example.org"]
    assert imported["remarks"] == []
    assert cli.json("user", "show", "juliet@example.org")["mechanisms"] == ["SCRAM-SHA-256"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")
