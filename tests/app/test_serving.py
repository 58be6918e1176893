"""A real server in its own process: how it starts, refuses to start, reloads and ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import websockets
from tests.app.calling import slot, upload
from tests.support.limits import until, within
from tests.support.raw_client import RawClient, StreamClosedError
from tests.support.server import PROGRAM, ParleyServer

from parley.app.certificates import make_self_signed

HANGING = """
import os, signal, sys, time
from pathlib import Path
from parley.app.serving import serve
from parley.app.source import SettingsSource

async def hang():
    time.sleep(3600)

async def prepare(server):
    server.storage.flush = hang
    print(time.monotonic(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

serve(SettingsSource(Path(sys.argv[1])), prepare)
"""
"""A server whose storage hangs when it stops; prints when it was told to, by the machine's clock."""


@pytest.fixture
def server():
    with ParleyServer(people=4, is_measured=True) as server:
        yield server


def refused(server: ParleyServer, *further: str) -> tuple[int, str]:
    """Start a second process with the same settings, which must end by itself; its status and what it said."""
    command = [PROGRAM, "serve", "--config", str(server.config), *further]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@within(120)
async def test_it_ends_within_ten_seconds_and_tells_its_clients(server: ParleyServer, number):
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    person = server.person()
    await client.session(person.name, person.password)
    # A client that reads nothing, and a half request, must not hold it up.
    with (
        socket.create_connection(("127.0.0.1", server.c2s_port)) as idle,
        socket.create_connection(("127.0.0.1", server.http_port)) as half,
    ):
        half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        idle.sendall(b"<?xml version='1.0'?>")
        assert server.process is not None
        started = time.monotonic()
        os.kill(server.pid, number)
        error = await client.recv_until(lambda element: element.tag.endswith("}error"))
        assert error[0].tag.endswith("}system-shutdown")
        await until(lambda: server.process is None or server.process.poll() is not None, 12)
        assert time.monotonic() - started < 10
    assert server.process.returncode == 0
    server.process = None
    assert not (server.data / "admin.sock").exists()
    assert not (server.data / "parley.db-wal").exists()


def test_a_second_signal_ends_it_at_once(server: ParleyServer):
    assert server.process is not None
    # Both arrive before it can act on the first.
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGINT)
    os.kill(server.pid, signal.SIGCONT)
    os.kill(server.pid, signal.SIGTERM)
    assert server.process.wait(10) == 1
    server.process = None


@within(120)
async def test_open_websockets_and_half_uploads_do_not_hold_it_up(server: ParleyServer):
    address = f"ws://127.0.0.1:{server.http_port}/xmpp"
    person = server.person()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(person.name, person.password)
    url = await slot(client, 1_000_000)
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("xmpp")]) as browser:
        await browser.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>")
        await browser.recv()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        path = url.removeprefix(server.http)
        writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf".encode())
        await writer.drain()
        await until(lambda: list((server.data / "partials").iterdir()))
        assert server.process is not None
        started = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        # Cut off, not failed: whoever uploads comes back.
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 503 ")
        assert "\r\nretry-after: 5\r\n" in head
        assert b'"cut-off"' in await reader.read()
        await until(lambda: server.process is None or server.process.poll() is not None, 12)
        assert time.monotonic() - started < 10
        writer.close()
    assert server.process.returncode == 0
    assert " ERROR " not in server.log.read_text()
    server.process = None


@within(120)
async def test_where_tls_is_required_websockets_without_it_are_for_this_machine_and_its_proxies():
    with ParleyServer({"http": ['trusted_proxies = ["127.0.0.3"]']}, people=1) as server:
        server.stop()
        settings = server.config.read_text().replace("require_tls = false", "require_tls = true")
        server.config.write_text(settings)
        server.start()

        async def status(source: str, **headers: str) -> int:
            try:
                async with websockets.connect(
                    f"ws://127.0.0.1:{server.http_port}/xmpp",
                    subprotocols=[websockets.Subprotocol("xmpp")],
                    additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
                    local_addr=(source, 0),
                ) as browser:
                    await browser.send(
                        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
                    )
                    await browser.recv()
                    assert "SCRAM-SHA-256" in str(await browser.recv())
                    return 101
            except websockets.InvalidStatus as refused:
                return refused.response.status_code

        assert await status("127.0.0.1") == 101
        assert await status("127.0.0.3", X_Forwarded_For="192.0.2.1") == 101
        assert await status("127.0.0.3", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https") == 101
        assert await status("127.0.0.3", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="http") == 403
        assert "code=tls-required" in server.log.read_text()


def test_what_hangs_does_not_keep_it_from_ending(server: ParleyServer):
    """The storage never answers, and the loop stands still on top of that."""
    server.stop()
    command = [sys.executable, "-c", HANGING, str(server.config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "code=stop-overdue" in done.stderr
    assert done.returncode == 0
    assert time.monotonic() - float(done.stdout) < 10


def test_a_running_server_does_not_spoil_the_check(server: ParleyServer):
    document = json.loads(server.run("check", "--config", str(server.config), "--json"))
    assert document["problems"] == []


def test_one_server_per_data_folder(server: ParleyServer):
    status, said = refused(server)
    assert status == 1
    assert f"another Parley process (process {server.pid}) uses {server.data}" in said


def test_a_taken_port_is_named(server: ParleyServer, tmp_path: Path):
    status, said = refused(server, "--set", f"data_dir={tmp_path}/other")
    assert status == 1
    assert re.search(r"xmpp\.c2s: cannot listen at 127\.0\.0\.1:\d+: ", said)
    elsewhere = ["--set", 'xmpp.c2s=["127.0.0.1:0"]', "--set", 'xmpp.c2s_tls=["127.0.0.1:0"]']
    status, said = refused(server, "--set", f"data_dir={tmp_path}/other", *elsewhere)
    assert status == 1
    assert "http.listen: cannot listen" in said


def test_what_cannot_be_served_is_said_in_one_line(server: ParleyServer):
    server.stop()
    database = server.data / "parley.db"
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO schema_version SELECT max(version) + 1, 'later', 0 FROM schema_version")
    connection.close()
    status, said = refused(server)
    assert (status, "install the newer Parley" in said) == (1, True)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM schema_version")
    connection.close()
    status, said = refused(server)
    assert (status, "parley migrate" in said) == (1, True)
    whole = database.read_bytes()
    database.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    status, said = refused(server)
    assert (status, "is damaged" in said, "backup restore" in said) == (1, True, True)
    database.unlink()
    (server.config.parent / "certs/key.pem").write_bytes(make_self_signed(["x"], _now()).private_key)
    status, said = refused(server)
    assert (status, "tls.certificate" in said) == (2, True)
    status, said = refused(server, "--set", "xmpp.c2s=[]", "--set", "nonsense.x=1")
    assert (status, "nonsense" in said) == (2, True)


@within(120)
async def test_a_jump_of_the_clock_is_seen_over_a_restart(server: ParleyServer):
    noted = server.data / "clock"
    await until(noted.is_file)
    server.stop()
    sighting = json.loads(noted.read_text())
    noted.write_text(json.dumps({**sighting, "wall_us": sighting["wall_us"] - 86400 * 1_000_000}))
    server.start()
    await until(lambda: "code=clock-jumped" in server.log.read_text())


@within(120)
async def test_sighup_applies_what_can_be_applied(server: ParleyServer):
    def said(text: str) -> bool:
        return text in server.log.read_text()

    async def certificate() -> bytes:
        reader = await RawClient("127.0.0.1", server.tls_port).connect(direct_tls=True)
        der = reader._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await reader.close()
        return bytes(der)

    before = await certificate()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    person = server.person()
    await client.session(person.name, person.password)
    settings = server.config.read_text()

    server.config.write_text(settings + "\n[limits\n")
    os.kill(server.pid, signal.SIGHUP)
    await until(lambda: said("nothing was reloaded"))
    assert server.is_ready()

    pair = make_self_signed(["localhost"], _now())
    (server.config.parent / "certs/fullchain.pem").write_bytes(pair.certificate)
    os.kill(server.pid, signal.SIGHUP)
    await until(lambda: server.log.read_text().count("nothing was reloaded") == 2)
    assert await certificate() == before

    (server.config.parent / "certs/key.pem").write_bytes(pair.private_key)
    changed = settings.replace(
        "[login]", '[log]\nlevel = "debug"\n[limits]\nmax_stanza_bytes = 20000\nmax_connections = 7\n[login]'
    )
    server.config.write_text(changed)
    os.kill(server.pid, signal.SIGHUP)
    await until(lambda: said("settings and certificates were reloaded"))
    assert said("setting=limits.max_connections")
    assert not said("setting=limits.max_stanza_bytes")
    assert await certificate() != before

    # Who is here stays; who comes now gets the new limit.
    await client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", server.domain)
    newcomer = await RawClient("127.0.0.1", server.c2s_port).connect()
    other = server.person()
    await newcomer.session(other.name, other.password)
    newcomer.send(f"<message to='{other.address}'><body>{'x' * 30000}</body></message>")
    with pytest.raises(StreamClosedError):
        await newcomer.recv_until(lambda element: False)


@within(120)
async def test_accounts_change_while_it_runs(server: ParleyServer):
    config = ["--config", str(server.config)]
    server.run("user", "add", "new@localhost", "--password-stdin", *config, given="first\n")
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session("new", "first", "phone")
    desk = await RawClient("127.0.0.1", server.c2s_port).connect()
    await desk.session("new", "first", "desk")
    assert "phone" in server.run("device", "list", "new@localhost", *config)

    server.run("user", "password", "new@localhost", "--password-stdin", *config, given="second\n")
    await client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", server.domain)
    with pytest.raises(PermissionError):
        await (await RawClient("127.0.0.1", server.c2s_port).connect()).login("new", "first")

    server.run("device", "revoke", "new@localhost", "desk", *config)
    assert await _condition(desk) == "not-authorized"
    await client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", server.domain)

    half = await RawClient("127.0.0.1", server.c2s_port).connect()
    await half.login("new", "second")
    server.run("user", "suspend", "new@localhost", *config)
    assert await _condition(client) == "not-authorized"
    assert await _condition(half) == "not-authorized"
    with pytest.raises(PermissionError, match="account-disabled"):
        await (await RawClient("127.0.0.1", server.c2s_port).connect()).login("new", "second")

    server.run("user", "resume", "new@localhost", *config)
    back = await RawClient("127.0.0.1", server.c2s_port).connect()
    await back.session("new", "second")
    server.run("user", "password", "new@localhost", "--password-stdin", "--sign-out", *config, given="third\n")
    assert await _condition(back) == "reset"
    last = await RawClient("127.0.0.1", server.c2s_port).connect()
    await last.session("new", "third")
    server.run("user", "remove", "new@localhost", "--yes", *config)
    assert await _condition(last) == "not-authorized"
    with pytest.raises(PermissionError, match="not-authorized"):
        await (await RawClient("127.0.0.1", server.c2s_port).connect()).login("new", "third")


@within(120)
async def test_nobody_inherits_the_contacts_of_a_removed_account(server: ParleyServer):
    gone, stays = server.person(), server.person()
    left = await (await RawClient("127.0.0.1", server.c2s_port).connect()).session(gone.name, gone.password)
    client = await (await RawClient("127.0.0.1", server.c2s_port).connect()).session(stays.name, stays.password)
    await client.iq("get", "<query xmlns='jabber:iq:roster'/>")
    left.send(f"<presence type='subscribe' to='{stays.address}'/>")
    await client.recv_until(lambda element: element.get("type") == "subscribe")
    client.send(f"<presence type='subscribed' to='{gone.address}'/>")
    await client.recv_until(lambda element: element.find(".//*[@subscription='from']") is not None)
    server.run("user", "remove", gone.address, "--yes", "--config", str(server.config))
    push = await client.recv_until(lambda element: element.find(".//*[@subscription]") is not None)
    assert push[0][0].get("jid") == gone.address
    assert push[0][0].get("subscription") == "none"
    await client.close()


@within(120)
async def test_the_files_of_a_removed_account_go(server: ParleyServer):
    person = server.person()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(person.name, person.password)
    await upload(client, b"sealed" * 1000)
    blobs = server.data / "blobs"
    assert len([path for path in blobs.rglob("*") if path.is_file()]) == 1
    server.run("user", "remove", person.address, "--yes", "--config", str(server.config))
    await until(lambda: not [path for path in blobs.rglob("*") if path.is_file()])


def test_a_part_that_fails_for_good_ends_it(server: ParleyServer):
    server.stop()
    program = """
import sys
from pathlib import Path
from parley.app.commands.frame import Group
from parley.app.serving import serve
from parley.app.source import SettingsSource
from parley.base.supervise import ESSENTIAL
import click

@click.command(cls=Group, invoke_without_command=True)
def main():
    async def broken():
        raise RuntimeError("boom")
    async def break_it(server):
        server.supervisor.service("essential part", broken, ESSENTIAL)
    serve(SettingsSource(Path(CONFIG)), break_it)

main([])
"""
    program = program.replace("CONFIG", repr(str(server.config)))
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 1
    assert "parley: service essential part failed" in done.stderr
    assert not (server.data / "parley.db-wal").exists()


async def _condition(client: RawClient) -> str:
    error = await client.recv_until(lambda element: element.tag.endswith("streams}error"))
    return str(error[0].tag).rpartition("}")[2]


def _now() -> datetime:
    return datetime.now(UTC)
