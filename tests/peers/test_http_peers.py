"""curl, tus-js-client, raw sockets and `websockets` against a running HTTP edge."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
CONTENT = hashlib.shake_256(b"speech").digest(20_000_000)

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_tus = pytest.mark.skipif(
    shutil.which("node") is None or not (WEB / "node_modules" / "tus-js-client").is_dir(),
    reason="node or tus-js-client is not installed",
)


class Server:
    """The HTTP edge in a process; can be killed and started again on the same folder and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "http_child.py"), str(self.folder), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return code

    def slot(self, size: int, name: str = "note.ogg") -> tuple[str, str]:
        assert self.process.stdin is not None
        print(size, name, file=self.process.stdin, flush=True)
        put_url, get_url = self._line().split()
        return put_url, get_url

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("content") / "speech"
    path.write_bytes(CONTENT)
    return path


def curl(*arguments: str) -> str:
    """Run curl; returns status and body."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "30", "-w", "\n%{http_code}", *arguments], capture_output=True, check=False
    )
    return done.stdout.decode("latin-1").strip()


def download(url: str, *arguments: str) -> bytes:
    return subprocess.run(["curl", "-sS", "--max-time", "30", *arguments, url], capture_output=True, check=True).stdout


@needs_curl
def test_curl_puts_and_gets_ranges(server: Server, file: Path):
    put_url, get_url = server.slot(len(CONTENT))
    assert curl("-T", str(file), put_url).endswith("201")
    assert curl("-T", str(file), put_url).endswith("200")
    assert download(get_url) == CONTENT
    assert download(get_url, "-r", "1000000-2999999") == CONTENT[1_000_000:3_000_000]
    assert download(get_url, "-r", "-17") == CONTENT[-17:]
    head = download(get_url, "-I").decode()
    assert head.startswith("HTTP/1.1 200")
    assert f"content-length: {len(CONTENT)}" in head
    etag = next(line.split(" ")[1].strip() for line in head.splitlines() if line.startswith("etag:"))
    assert curl("-H", f"If-None-Match: {etag}", get_url).endswith("304")
    assert curl("-r", "99999999-", get_url).endswith("416")


@needs_curl
def test_curl_resumes_a_cut_download(server: Server, file: Path, tmp_path: Path):
    put_url, get_url = server.slot(len(CONTENT))
    assert curl("-T", str(file), put_url).endswith("201")
    target = tmp_path / "part"
    target.write_bytes(CONTENT[:7_654_321])
    assert curl("-C", "-", "-o", str(target), get_url).endswith("206")
    assert target.read_bytes() == CONTENT


@needs_curl
def test_curl_is_told_why_not(server: Server, file: Path):
    put_url, _ = server.slot(1000)
    assert '"too-large"' in (refused := curl("-T", str(file), put_url))
    assert refused.endswith("413")
    assert '"not-found"' in curl("-T", str(file), put_url[:-20] + "x/note.ogg")
    assert '"length-required"' in curl("-T", str(file), "-H", "Transfer-Encoding: chunked", put_url)
    assert not list((server.folder / "partial").iterdir())


@needs_tus
@pytest.mark.parametrize("kind", ["uploadUrl", "endpoint"])
def test_tus_js_client_uploads(server: Server, file: Path, kind: str):
    put_url, get_url = server.slot(len(CONTENT))
    done = tus(file, kind, put_url, 3_000_000)
    assert done.communicate(timeout=60)[0].splitlines()[-1] == "success"
    assert fetch(get_url) == CONTENT


@needs_tus
def test_tus_js_client_resumes_after_kills_of_the_server(server: Server, file: Path):
    put_url, get_url = server.slot(len(CONTENT))
    client = tus(file, "uploadUrl", put_url, 2_000_000)
    assert client.stdout is not None
    confirmed = kills = 0
    for line in client.stdout:
        word, *rest = line.split()
        assert word in ("progress", "success"), line
        if word == "progress":
            assert int(rest[0]) >= confirmed, "a confirmed byte was lost"
            confirmed = int(rest[0])
            if kills < 3 and confirmed >= (kills + 1) * 4_000_000:
                server.stop(signal.SIGKILL)
                server.start()
                kills += 1
    assert client.wait(60) == 0
    assert kills == 3
    assert fetch(get_url) == CONTENT


def tus(file: Path, kind: str, url: str, chunk_bytes: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["node", str(HERE / "tus_upload.mjs"), str(file), kind, url, str(chunk_bytes)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TUS_FROM": str(WEB / "package.json")},
    )


def fetch(url: str) -> bytes:
    import urllib.request

    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


def request(connection: socket.socket, head: str, body: bytes = b"") -> bytes:
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def test_a_put_that_loses_its_connection_goes_on_where_it_was(server: Server):
    put_url, get_url = server.slot(len(CONTENT))
    path = put_url.removeprefix(server.url)
    with server.connect() as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode())
        connection.sendall(CONTENT[:11_000_000])
    with server.connect() as connection:
        reply = request(connection, f"HEAD {path} HTTP/1.1\nHost: x\nTus-Resumable: 1.0.0")
        offset = int(reply.split(b"upload-offset: ")[1].split(b"\r\n")[0])
        assert 0 < offset <= 11_000_000
        rest = CONTENT[offset:]
        reply = request(
            connection,
            f"PATCH {path} HTTP/1.1\nHost: x\nTus-Resumable: 1.0.0\nUpload-Offset: {offset}\n"
            f"Content-Type: application/offset+octet-stream\nContent-Length: {len(rest)}",
            rest,
        )
        assert reply.startswith(b"HTTP/1.1 204")
    assert fetch(get_url) == CONTENT


def test_the_answer_to_a_refused_upload_arrives(server: Server):
    with server.connect() as connection:
        reply = request(
            connection,
            "PUT /upload/aaaaaaaaaaaaaaaaaaaaaa/b/c HTTP/1.1\nHost: x\nContent-Length: 10000000",
            CONTENT[:10_000_000],
        )
        assert reply.startswith(b"HTTP/1.1 404")


def test_bad_heads_are_refused_and_slow_ones_cut_off(server: Server):
    for size in (33_000, 40_000, 200_000):
        with server.connect() as connection:
            assert request(connection, "GET / HTTP/1.1\nHost: x\nA: " + "a" * size).startswith(b"HTTP/1.1 431")
    with server.connect() as connection:
        assert request(connection, "nonsense").startswith(b"HTTP/1.1 400")
    with server.connect() as connection:
        started = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert connection.recv(100) == b""
        assert time.monotonic() - started < 10


def test_the_server_is_discreet(server: Server):
    with server.connect() as connection:
        reply = request(connection, "GET /health/live HTTP/1.1\nHost: x")
    assert b"server: parley" in reply
    assert b"granian" not in reply


def test_websockets(server: Server):
    url = server.url.replace("http", "ws") + "/xmpp"
    with connect(url, subprotocols=["xmpp"]) as websocket:
        assert websocket.subprotocol == "xmpp"
        websocket.send("ü" * 100_000)
        assert websocket.recv() == "ü" * 100_000
    for headers, subprotocols, status in (
        ({"Origin": "https://evil.example"}, ["xmpp"], 403),
        ({}, None, 400),
    ):
        with (
            pytest.raises(InvalidStatus) as refusal,
            connect(url, subprotocols=subprotocols, additional_headers=headers),
        ):
            pass
        assert refusal.value.response.status_code == status


def test_it_ends_cleanly_with_connections_open(server: Server):
    with (
        server.connect() as idle,
        server.connect() as slow,
        connect(server.url.replace("http", "ws") + "/xmpp", subprotocols=["xmpp"]),
    ):
        request(idle, "GET /health/live HTTP/1.1\nHost: x")
        put_url, _ = server.slot(1000)
        slow.sendall(
            f"PUT {put_url.removeprefix(server.url)} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode()
        )
        started = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < 8
    server.start()


def test_a_taken_port_is_told(server: Server, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = subprocess.run(
        [sys.executable, str(HERE / "http_child.py"), str(tmp_path / "other"), str(server.port)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )
    assert other.returncode != 0
    assert f"http.listen: cannot listen on 127.0.0.1:{server.port}: Address already in use" in other.stderr
