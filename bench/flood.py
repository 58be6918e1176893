"""Latency of an innocent partner's messages beside a flooding one: before, while it is slowed, once it is cut off.

Both partners have streams of their own to one Parley, with its archive on and its usual limits. The innocent one sends
a message every 20 ms to somebody who is there; each carries the time at which it was sent. The flooding one sends as
fast as it is read, and comes back at once when it is cut off.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer, free_ports

from bench.flood_sender import AUTH, header, message, tls_context
from bench.report import ROOT, Figure, Result

ROUNDS = 3
INTERVAL_S = 0.02
PHASE_S = 5.0
FLOOD_AFTER_S = 6
CUT_WITHIN_S = 60
GOAL_RATIO = 2.0
_BODY = re.compile(r"(\d+\.\d+)x*")


class CertifiedServer(ParleyServer):
    """A server whose certificate its partners trust."""

    def __init__(self, settings: dict[str, list[str]], authority: Authority) -> None:
        super().__init__(settings, people=4)
        self._authority = authority

    def set_up(self) -> None:
        super().set_up()
        certificate, key = self._authority.sign(self.domain)
        shutil.copy(certificate, self.config.parent / "certs" / "fullchain.pem")
        shutil.copy(key, self.config.parent / "certs" / "key.pem")


class Innocent:
    """A partner that behaves, and the person whom it writes to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: RawClient) -> None:
        self._reader = reader
        self._writer = writer
        self._to = to

    @classmethod
    async def connected(cls, port: int, domain: str, server: ParleyServer, files: tuple[str, str, str]) -> Innocent:
        """Open the partner's stream, and the recipient's."""
        context = tls_context(*files)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=server.domain, limit=1 << 20
        )
        writer.write(header(domain, server.domain))
        await reader.readuntil(b"</stream:features>")
        writer.write(AUTH)
        await reader.readuntil(b"<success")
        writer.write(header(domain, server.domain))
        await reader.readuntil(b"stream:features")
        person = server.person()
        client = await RawClient("127.0.0.1", server.c2s_port, server.domain).connect()
        await client.session(person.name, person.password, "bench")
        return cls(reader, writer, client)

    async def latencies_ms(self, sender: str, duration_s: float) -> list[float]:
        """Send for so long and return how long each message took."""
        count = round(duration_s / INTERVAL_S)
        found: list[float] = []

        async def receive() -> None:
            while len(found) < count:
                element = await self._to.recv()
                match = _BODY.search(element.findtext("{*}body") or "")
                if match is not None:
                    found.append((time.perf_counter() - float(match[1])) * 1000)

        async with asyncio.TaskGroup() as group:
            group.create_task(receive())
            for number in range(count):
                started = time.perf_counter()
                self._writer.write(message(sender, self._to.jid, f"{started:.6f}"))
                await asyncio.sleep(max(INTERVAL_S - (time.perf_counter() - started), 0) if number < count else 0)
        return found


@contextmanager
def flooding(port: int, domain: str, to: str, files: tuple[str, str, str]) -> Iterator[None]:
    """A flood from that domain, in a process of its own."""
    command = [sys.executable, "-m", "bench.flood_sender", str(port), domain, to, *files]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def measure(server: ParleyServer, port: int, authority: Authority) -> dict[str, list[float]]:
    """The 50th and the 99th percentile of each phase, a value for each round."""

    def files(domain: str) -> tuple[str, str, str]:
        certificate, key = authority.sign(domain)
        return str(certificate), str(key), str(authority.ca_file)

    found: dict[str, list[float]] = {}
    innocent = await Innocent.connected(port, "innocent.example", server, files("innocent.example"))
    victim = server.person()
    await innocent.latencies_ms("carol@innocent.example/x", 1.0)

    async def phase(name: str) -> None:
        values = sorted(await innocent.latencies_ms("carol@innocent.example/x", PHASE_S))
        found.setdefault(f"{name} p50", []).append(statistics.median(values))
        found.setdefault(f"{name} p99", []).append(values[int(len(values) * 0.99)])

    for round_ in range(ROUNDS):
        domain = f"flood{round_}.example"
        await phase("alone")
        with flooding(port, domain, victim.address, files(domain)):
            await phase("slowed")
            async with asyncio.timeout(CUT_WITHIN_S):
                while f"a flooding partner is cut off partner={domain}" not in server.log.read_text():
                    await asyncio.sleep(0.1)
            await phase("cut")
    return found


def bench() -> Result:
    """Run all rounds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-flood-")))
        authority = Authority(folder)
        (port,) = free_ports(1)
        settings = {
            "xmpp": [f's2s_tls = ["127.0.0.1:{port}"]'],
            "federation": [
                f'ca_file = "{authority.ca_file}"',
                *(f"flood_after_s = {FLOOD_AFTER_S}", "cut_min_s = 30"),
                *("stranger_messages_per_hour = 100000000", "max_connections_per_address = 1000"),
            ],
        }
        server = stack.enter_context(CertifiedServer(settings, authority))
        found = asyncio.run(measure(server, port, authority))
    return Result("flood", ROUNDS, [_figure(name, values, found) for name, values in found.items()])


def _figure(name: str, values: list[float], found: dict[str, list[float]]) -> Figure:
    phase, _, percentile = name.partition(" ")
    when = {"alone": "before a flood", "slowed": "beside a flood that is slowed", "cut": "beside one that is cut off"}
    median = statistics.median(values)
    alone = statistics.median(found[f"alone {percentile}"])
    is_reference = phase == "alone"
    return Figure(
        id=f"flood.{phase}-{percentile}",
        what=f"latency of an innocent partner's messages {when[phase]}, {percentile}",
        unit="ms",
        better="lower",
        parley=round(median, 3),
        peers={},
        goal="for comparison" if is_reference else f"at most {GOAL_RATIO:g} times that before the flood",
        met=is_reference or median <= GOAL_RATIO * alone,
        spread=(round(min(values), 3), round(max(values), 3)),
    )
