"""Desktop programs without a desktop: a screen that nobody sees, a session bus, and a name server and a certification
authority that they believe in.

Each program runs as nobody, in namespaces of its own for files and processes: whatever it started ends with it.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from tests.support.certificates import Authority
from tests.support.dns import NameServer
from tests.support.server import ParleyServer, free_ports
from tests.support.slix import SlixClient

# A picture of one point.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
PROGRAMS = ("Xvfb", "dbus-run-session", "mount", "setpriv", "unshare")
DOMAIN = "alpha.example"
NOBODY = 65534
LINES_SHOWN = 60
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def missing(*programs: str) -> list[str]:
    """Which of these programs, and of those that every desktop needs, are not installed."""
    return [program for program in (*PROGRAMS, *programs) if shutil.which(program) is None]


def may_unshare() -> bool:
    """Whether namespaces can be made here."""
    if missing() or os.geteuid() != 0:
        return False
    return subprocess.run([*_NAMESPACES, "true"], check=False, capture_output=True).returncode == 0


class DesktopServer(ParleyServer):
    """A server as such programs insist on: found by its domain alone, files over HTTPS, certified by an authority."""

    def __init__(self, *, people: int) -> None:
        (self.https_port,) = free_ports(1)
        super().__init__(
            {"http": [f'listen_tls = ["127.0.0.1:{self.https_port}"]']},
            domain=DOMAIN,
            people=people,
            public_url=f"https://{DOMAIN}:{self.https_port}",
            is_measured=True,
        )
        self.authority = Authority(self.folder)
        # Any address of the loopback, since each run of tests has its own.
        self.resolver = "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))
        self._names = NameServer(
            {
                DOMAIN: ["A 127.0.0.1"],
                f"_xmpp-client._tcp.{DOMAIN}": [f"SRV 0 0 {self.c2s_port} {DOMAIN}."],
                f"_xmpps-client._tcp.{DOMAIN}": [f"SRV 5 0 {self.tls_port} {DOMAIN}."],
            },
            (self.resolver, 53),
        )

    def set_up(self) -> None:
        super().set_up()
        for path, name in zip(self.authority.sign(DOMAIN), ("fullchain.pem", "key.pem"), strict=True):
            shutil.copyfile(path, self.config.parent / "certs" / name)

    def plain(self, link: str) -> str:
        """A link of this server as it is to be followed by who has other names and authorities."""
        return link.replace(self.public_url, self.http)

    async def upload(self, client: SlixClient, name: str, content: bytes, kind: str) -> str:
        """Upload a file as a client that is signed in; returns its link."""
        slot = await client.upload_slot(name, len(content), kind)
        async with httpx.AsyncClient() as http:
            headers = {**slot.headers, "Content-Type": kind}
            (await http.put(self.plain(slot.put), content=content, headers=headers)).raise_for_status()
        return slot.get

    def __enter__(self) -> Self:
        self._names.__enter__()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._names.__exit__()
        super().__exit__(kind, error, trace)


class Desktop:
    """One program with its own screen, its own session bus and its own home."""

    def __init__(self, server: DesktopServer, name: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"parley-{name}-"))
        self.log = self.home / "program.log"
        self._server = server
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment: dict[str, str] = {}

    def open(self, environment: Mapping[str, str] | None = None) -> None:
        """Open the screen. What programs find in their environment is this and little else."""
        self._environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "DISPLAY": self._open_screen(),
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",
            "GIO_USE_VFS": "local",
            "GTK_A11Y": "none",
            "NO_AT_BRIDGE": "1",
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            **(environment or {}),
        }
        (self.home / "run").mkdir(mode=0o700)

    def run(self, *program: str) -> None:
        """Start the program, with a name server, an authority and a session bus of its own."""
        mounts = [f"mount --bind {ours} {theirs}" for theirs, ours in self._own_etc().items()]
        self._hand_over()
        tell = f'echo "$DBUS_SESSION_BUS_ADDRESS" >{self._bus} && exec "$@"'
        self._start(
            (
                *(*_NAMESPACES, "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"),
                *(*_AS_NOBODY, "dbus-run-session", "--", "sh", "-c", tell, "sh", *program),
            )
        )

    async def call(self, *program: str) -> str:
        """Run a program beside it to its end, and return what it said. Raises AssertionError when it failed."""
        self._hand_over()
        bus = {"DBUS_SESSION_BUS_ADDRESS": self._bus.read_text().strip()} if self._bus.exists() else {}
        process = await asyncio.create_subprocess_exec(
            *_AS_NOBODY, *program, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env={**self._environment, **bus}
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{program}: status {process.returncode}\n{said.decode()}"
        return said.decode()

    def kill(self) -> None:
        """End the program, and all that it started, without a chance to say or store anything."""
        process = self._processes.pop()
        process.kill()
        process.wait()

    def close(self) -> None:
        """End the program, all that it started and the screen, and remove the home."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def log_tail(self) -> str:
        """The last lines that the program said."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LINES_SHOWN:])

    @property
    def _bus(self) -> Path:
        return self.home / "bus"

    def _open_screen(self) -> str:
        reader, writer = os.pipe()
        screen = ("-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset", "-ac")
        self._start(["Xvfb", "-displayfd", str(writer), *screen], writer)
        os.close(writer)
        with os.fdopen(reader) as numbers:
            return f":{int(numbers.readline())}"

    def _own_etc(self) -> dict[str, Path]:
        """What is bound over which path: a name server, no names but its own, and one authority."""
        folder = self.home / "etc"
        (folder / "certs").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._server.authority.ca_file, folder / "certs" / "ca-certificates.crt")
        (folder / "resolv.conf").write_text(f"nameserver {self._server.resolver}\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        return {
            "/etc/ssl/certs": folder / "certs",
            "/etc/resolv.conf": folder / "resolv.conf",
            "/etc/hosts": folder / "hosts",
        }

    def _hand_over(self) -> None:
        for path in (self.home, *self.home.rglob("*")):
            with suppress(FileNotFoundError):
                os.chown(path, NOBODY, NOBODY)

    def _start(self, command: Sequence[str], *files: int) -> None:
        environment = self._environment or {"PATH": os.environ["PATH"]}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=files
            )
        self._processes.append(process)
