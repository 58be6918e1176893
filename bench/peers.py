"""Servers to measure: Parley, and as peers Debian's Prosody and ejabberd, each a process with a scratch folder.

All serve `localhost` to the same people, offer stream management, carbons, rooms, plain as well as TLS ports, and have
no limits that a load would meet.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.certificates import Authority
from tests.support.server import ParleyServer, Person, ServerFailedError, free_ports

START_S = 120.0
ITERATIONS = 4096
"""Rounds of PBKDF2, for all: ejabberd's number cannot be changed."""

PARLEY_LIMITS = [
    *("bytes_per_s = 1000000000", "burst_bytes = 1000000000", "sm_max_unacked = 100000"),
    *("max_resources_per_account = 100", "max_connections_per_address = 5000", "max_uncommitted = 5000"),
]

PROSODY = """
run_as_root = true; daemonize = false
pidfile = "{folder}/prosody.pid"; data_path = "{folder}/data"; admin_socket = "{folder}/prosody.sock"
log = {{ warn = "{folder}/prosody.log" }}
modules_enabled = {{ "roster", "saslauth", "disco", "smacks", "carbons", "ping", "tls"{archive} }}
modules_disabled = {{ "s2s" }}
ssl = {{ certificate = "{certificate}"; key = "{key}" }}
allow_unencrypted_plain_auth = true; c2s_require_encryption = false
authentication = "{authentication}"; password_hash = "SHA-256"
archive_expires_after = "never"; mam_include_total = false; default_archive_policy = true
storage_archive_item_limit = {archive_limit}
limits = {{}}; smacks_max_unacked_stanzas = 0
storage = {{ archive = "{storage}"; muc_log = "{storage}" }}
sql = {{ driver = "SQLite3", database = "{folder}/prosody.sqlite" }}
c2s_ports = {{ {c2s_port} }}; c2s_direct_tls_ports = {{ {tls_port} }}; interfaces = {{ "127.0.0.1" }}
VirtualHost "localhost"
Component "conference.localhost" "muc"
    modules_enabled = {{ "muc_mam" }}
    muc_log_by_default = true; muc_log_expires_after = "never"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        label: name and version, and the kind of storage where that matters.
        pid: of its one process.
        folder: where its data is.
        people: its accounts.
    """

    label: str
    pid: int
    folder: Path
    c2s_port: int
    tls_port: int
    people: Sequence[Person]


Fill = Callable[[Path], None]
"""Puts data into a peer's folder before it starts."""


def people_of(count: int) -> list[Person]:
    """The accounts that every server has."""
    return [Person(f"person{number}@localhost", f"secret-{number}") for number in range(count)]


def has_prosody() -> bool:
    return shutil.which("prosody") is not None


def has_ejabberd() -> bool:
    return shutil.which("erl") is not None and bool(_version("ejabberd"))


@contextmanager
def parley(
    settings: Mapping[str, Sequence[str]] | None = None,
    *,
    people: int,
    fill: Callable[[ParleyServer], None] | None = None,
) -> Iterator[Server]:
    """Parley. `fill` puts data into it before it starts."""
    given: dict[str, Sequence[str]] = {name: list(lines) for name, lines in (settings or {}).items()}
    given["limits"] = [*PARLEY_LIMITS, *given.get("limits", ())]
    given["login"] = [*given.get("login", ()), "failures_per_address = 100000"]
    with _Filled(given, people, fill) as server:
        found = Server("parley", server.pid, server.data, server.c2s_port, server.tls_port, people_of(people))
        yield found


class _Filled(ParleyServer):
    def __init__(
        self, settings: Mapping[str, Sequence[str]], people: int, fill: Callable[[ParleyServer], None] | None
    ) -> None:
        super().__init__(settings, people=people)
        self._fill = fill

    def set_up(self) -> None:
        super().set_up()
        if self._fill is not None:
            self._fill(self)


@contextmanager
def prosody(
    *,
    people: int,
    archive: Literal["", "internal", "sql"] = "",
    is_hashed: bool = False,
    archive_limit: int = 10_000_000,
    fill: Fill | None = None,
) -> Iterator[Server]:
    """Prosody.

    Args:
        people: how many accounts.
        archive: where messages are kept; "" for nowhere.
        is_hashed: whether it keeps SCRAM's keys rather than passwords.
        archive_limit: most messages of one archive in its internal storage.
        fill: what puts data into its folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="parley-prosody-"))
    c2s_port, tls_port = free_ports(2)
    accounts = folder / "data" / "localhost" / "accounts"
    accounts.mkdir(parents=True)
    for person in people_of(people):
        keys = _keys(person.password) if is_hashed else {"password": person.password}
        (accounts / f"{person.name}.dat").write_text(f"return {lua(keys)};\n")
    certificate, key = Authority(folder).sign("localhost")
    config = folder / "prosody.cfg.lua"
    config.write_text(
        PROSODY.format(
            folder=folder,
            certificate=certificate,
            key=key,
            c2s_port=c2s_port,
            tls_port=tls_port,
            archive=', "mam"' if archive else "",
            storage=archive or "internal",
            archive_limit=archive_limit,
            authentication="internal_hashed" if is_hashed else "internal_plain",
        )
    )
    if fill is not None:
        fill(folder)
    kind = {"": "", "internal": " internal", "sql": " SQLite"}[archive]
    label = f"prosody {_version('prosody')}{kind}"
    command = ["prosody", "--config", str(config), "-F"]
    with _running(command, folder, {"HOME": str(folder)}, lambda: _answers(c2s_port)) as pid:
        yield Server(label, pid, folder, c2s_port, tls_port, people_of(people))


@contextmanager
def ejabberd(*, people: int, has_archive: bool = False, is_hashed: bool = False, script: str = "") -> Iterator[Server]:
    """ejabberd, its data in Mnesia; on one scheduler that does not spin, as it gets one core.

    Args:
        people: how many accounts.
        has_archive: whether messages are kept.
        is_hashed: whether it keeps SCRAM's keys rather than passwords.
        script: Erlang expressions that put data into it, each ended by a full stop.
    """
    folder = Path(tempfile.mkdtemp(prefix="parley-ejabberd-"))
    c2s_port, tls_port = free_ports(2)
    certificate, key = Authority(folder).sign("localhost")
    (folder / "both.pem").write_text(certificate.read_text() + key.read_text())
    # Every JSON document is a YAML document.
    (folder / "ejabberd.yml").write_text(json.dumps(_settings(folder, c2s_port, tls_port, has_archive, is_hashed)))
    register = (
        f'[ok = ejabberd_auth:try_register(<<"person", (integer_to_binary(N))/binary>>, <<"localhost">>,'
        f' <<"secret-", (integer_to_binary(N))/binary>>) || N <- lists:seq(0, {people - 1})].\n'
    )
    ready = folder / "ready"
    (folder / "fill.erl").write_text(f'{register}{script}\nfile:write_file("{ready}", <<>>).\n')
    command = [
        *("erl", "+K", "true", "+S", "1:1", "+SDcpu", "1:1", "+SDio", "1", "+sbwt", "none"),
        *("+sbwtdcpu", "none", "+sbwtdio", "none", "+P", "250000", "-mnesia", "dir", f'"{folder}/mnesia"'),
        *("-noinput", "-s", "ejabberd", "-eval", f'ok = file:eval("{folder}/fill.erl").'),
    ]
    environment = {
        "HOME": str(folder),
        "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
        "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "ERL_CRASH_DUMP_BYTES": "0",
    }
    with _running(command, folder, environment, lambda: ready.exists() and _answers(c2s_port)) as pid:
        yield Server(f"ejabberd {_version('ejabberd')}", pid, folder, c2s_port, tls_port, people_of(people))


def _settings(folder: Path, c2s_port: int, tls_port: int, has_archive: bool, is_hashed: bool) -> dict[str, object]:
    listener = {"ip": "127.0.0.1", "module": "ejabberd_c2s", "shaper": "none", "max_stanza_size": 262144}
    archive = {"default": "always", "db_type": "mnesia", "request_activates_archiving": False}
    modules: dict[str, object] = {
        "mod_roster": {},
        "mod_disco": {},
        "mod_carboncopy": {},
        "mod_ping": {},
        "mod_stream_mgmt": {"max_ack_queue": 100000, "ack_timeout": "5 minutes"},
        "mod_muc": {"max_users": 5000, "default_room_options": {"max_users": 5000, "mam": True}},
    }
    if has_archive:
        modules["mod_mam"] = archive
    return {
        "hosts": ["localhost"],
        "loglevel": "error",
        "certfiles": [str(folder / "both.pem")],
        "auth_method": "internal",
        "auth_password_format": "scram" if is_hashed else "plain",
        "auth_scram_hash": "sha256",
        "listen": [
            {**listener, "port": c2s_port, "starttls": False},
            {**listener, "port": tls_port, "tls": True},
        ],
        "shaper_rules": {"max_user_sessions": 100000},
        "modules": modules,
    }


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], is_ready: Callable[[], bool]
) -> Iterator[int]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailedError(f"{command[0]} did not start\n{(folder / 'output').read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _version(package: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    if shutil.which(command[0]) is None:
        return ""
    found = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return found.partition("-")[0]


def _keys(password: str) -> dict[str, object]:
    """What SCRAM-SHA-256 keeps of a password (RFC 5802 §3)."""
    salt = base64.b64encode(os.urandom(16)).decode()
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return {
        "salt": salt,
        "iteration_count": ITERATIONS,
        "stored_key": hashlib.sha256(client_key).hexdigest(),
        "server_key": hmac.digest(salted, b"Server Key", "sha256").hex(),
    }


def lua(value: object) -> str:
    """A value of Lua, as Prosody keeps it: tables, texts, whole numbers, booleans."""
    if isinstance(value, Mapping):
        return "{ " + " ".join(f"[{lua(key)}] = {lua(each)};" for key, each in value.items()) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)
