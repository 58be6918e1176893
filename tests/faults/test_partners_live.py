"""Agreements on a server that runs: made and revoked by command, a partner that is there notices at once."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.server import ParleyServer, free_ports

PARTNER = "partner.example"
WITHIN_S = 20.0
HEADER = (
    f"<?xml version='1.0'?><stream:stream from='{PARTNER}' to='localhost' version='1.0' xmlns='jabber:server'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
).encode()
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"


class Installation(ParleyServer):
    """A server that federates by agreement, with a certificate of its own authority."""

    def __init__(self, authority: Authority) -> None:
        (self.s2s_port,) = free_ports(1)
        self._authority = authority
        settings = {
            "xmpp": [f's2s_tls = ["127.0.0.1:{self.s2s_port}"]'],
            "federation": ['mode = "agreement"', "flood_after_s = 1", "cut_min_s = 3"],
        }
        super().__init__(settings, people=1)

    def set_up(self) -> None:
        super().set_up()
        files = self._authority.sign(self.domain)
        for file, name in zip(files, ("fullchain.pem", "key.pem"), strict=True):
            shutil.copy(file, self.config.parent / "certs" / name)

    def partner(self, *arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.run("partner", *map(str, arguments), "--json", "--config", str(self.config))
        )
        return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def stream(server: Installation, authority: Authority) -> Iterator[ssl.SSLSocket]:
    """A connection of the partner, before it says who it is."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    context.load_cert_chain(*authority.sign(PARTNER))
    context.set_alpn_protocols(["xmpp-server"])
    with (
        socket.create_connection(("127.0.0.1", server.s2s_port), WITHIN_S) as plain,
        context.wrap_socket(plain, server_hostname=server.domain) as connection,
    ):
        connection.settimeout(WITHIN_S)
        yield connection


def read_until(connection: ssl.SSLSocket, *wanted: bytes) -> bytes:
    """What comes until one of these is in it, or the connection ends."""
    seen = b""
    while not any(each in seen for each in wanted):
        data = connection.recv(65536)
        if not data:
            break
        seen += data
    return seen


def authenticate(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(HEADER)
    read_until(connection, b"</stream:features>")
    # What answers its stanzas comes on the stream itself.
    connection.sendall(b"<bidi xmlns='urn:xmpp:bidi'/>" + AUTH)
    return read_until(connection, b"<success", b"<failure", b"</stream:stream>")


def test_an_agreement_lets_in_and_its_end_cuts_the_stream(authority: Authority) -> None:
    with Installation(authority) as server:
        # Nobody trusts the partner's authority yet: TLS fails, at the latest when something is read.
        with contextlib.suppress(OSError), stream(server, authority) as connection:
            assert b"<success" not in authenticate(connection)
        server.partner("add", PARTNER, "--ca", authority.ca_file)
        with stream(server, authority) as connection:
            # That it was refused before is forgotten.
            assert b"<success" in authenticate(connection)
            connection.sendall(HEADER)
            read_until(connection, b"stream:features")
            assert server.partner("show", PARTNER)["streams"] == 1
            revoked = server.partner("revoke", PARTNER)
            assert (revoked["state"], revoked["streams_ended"]) == ("revoked", 1)
            assert b"policy-violation" in read_until(connection, b"</stream:stream>")
        log = server.partner("log", PARTNER)["changes"]
        assert [each["action"] for each in log] == ["revoked", "added"]
        server.stop()
        # The same commands on the data themselves.
        assert server.partner("show", PARTNER)["state"] == "revoked"
        assert server.partner("add", PARTNER)["streams_ended"] == 0


def opened(connection: ssl.SSLSocket) -> None:
    """Until stanzas may flow."""
    assert b"<success" in authenticate(connection)
    connection.sendall(HEADER)
    read_until(connection, b"</stream:features>")


def message(to: str, body: str) -> bytes:
    return f"<message from='a@{PARTNER}/x' to='{to}' type='chat' id='m'><body>{body}</body></message>".encode()


def flood(connection: ssl.SSLSocket, to: str) -> bytes:
    """Send until the server has had enough; returns what it says then."""
    said = b""
    connection.settimeout(0.01)
    deadline = time.monotonic() + WITHIN_S
    while b"</stream:stream>" not in said and time.monotonic() < deadline:
        try:
            connection.sendall(message(to, "x") * 5)
        except OSError:
            break
        with contextlib.suppress(TimeoutError):
            said += connection.recv(65536)
    return said


def test_the_limits_of_an_agreement_hold(authority: Authority) -> None:
    with Installation(authority) as server:
        to = server.person().address
        server.partner(
            *("add", PARTNER, "--ca", authority.ca_file, "--kinds", "messages", "--max-stanza-bytes", 10_000),
            *("--stanzas-per-s", 20, "--burst-stanzas", 20),
        )
        with stream(server, authority) as connection:
            opened(connection)
            connection.sendall(f"<presence from='a@{PARTNER}' to='{to}' type='subscribe' id='p'/>".encode())
            assert b"<not-allowed" in read_until(connection, b"</presence>")
            connection.sendall(message(to, "x" * 10_000))
            assert b"<policy-violation" in read_until(connection, b"</message>")
            # The stream stays; what it carries too much of is read slowly, then not at all.
            assert b"policy-violation" in flood(connection, to)
        assert "cut_s=3 cuts=1" in server.log.read_text()
        refusals = 0
        while True:
            with stream(server, authority) as connection:
                connection.sendall(HEADER)
                # It may say nothing: nothing is offered by which it could prove who it is.
                if b"EXTERNAL" in read_until(connection, b"</stream:features>"):
                    break
            refusals += 1
            time.sleep(0.2)
        assert refusals
        with stream(server, authority) as connection:
            opened(connection)
            assert b"policy-violation" in flood(connection, to)
        assert "cut_s=6 cuts=2" in server.log.read_text()


def test_an_agreement_that_expires_ends_the_stream(authority: Authority) -> None:
    with Installation(authority) as server:
        expires = datetime.now(UTC) + timedelta(seconds=6)
        server.partner("add", PARTNER, "--ca", authority.ca_file, "--expires", f"{expires:%Y-%m-%dT%H:%M:%S}")
        with stream(server, authority) as connection:
            opened(connection)
            assert b"policy-violation" in read_until(connection, b"</stream:stream>")
        assert server.partner("show", PARTNER)["state"] == "expired"
        assert datetime.now(UTC) >= expires - timedelta(seconds=1)
