"""Scenes with Prosody as a partner. Each runs in namespaces of its own, see `test_prosody_federation.py`.

`python -m tests.peers.federation_scenes NAME FOLDER` plays one scene and ends with status 0 when it went well.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import Authority
from tests.support.dns import NameServer
from tests.support.limits import until
from tests.support.prosody import Prosody
from tests.support.server import ParleyServer, Person
from tests.support.slix import SlixClient

ALPHA, BETA = "alpha.example", "beta.example"
S2S_PORT = 5269


class Parley(ParleyServer):
    """Our server with a certificate of the scene's authority."""

    def __init__(self, files: tuple[Path, Path], ca_file: Path, **settings: list[str]) -> None:
        super().__init__(
            {
                "xmpp": [f's2s = ["127.0.0.1:{S2S_PORT}"]'],
                "federation": [
                    f'ca_file = "{ca_file}"',
                    'nameservers = ["127.0.0.53:53"]',
                    "retry_min_s = 1",
                    "retry_max_s = 2",
                    *settings.pop("federation", []),
                ],
                "log": ['level = "trace"'],
                **settings,
            },
            domain=ALPHA,
            people=3,
        )
        self._files = files

    def set_up(self) -> None:
        super().set_up()
        for path, name in zip(self._files, ("fullchain.pem", "key.pem"), strict=True):
            (self.config.parent / "certs" / name).write_bytes(path.read_bytes())


@dataclass
class Stage:
    """Both servers, and who is on them."""

    parley: Parley
    prosody: Prosody
    authority: Authority
    alice: Person
    bob: Person

    def client(self, person: Person, resource: str = "one") -> SlixClient:
        return SlixClient(person, resource, transport="plain")

    @asynccontextmanager
    async def signed_in(self, *clients: SlixClient) -> AsyncIterator[None]:
        try:
            for client in clients:
                await self.sign_in(client)
            yield
        finally:
            for client in clients:
                await client.leave()

    async def sign_in(self, client: SlixClient) -> None:
        at: Any = self.parley
        if client.boundjid.domain == BETA:
            at = self.prosody
            at.tls_port = 0
        await client.sign_in(at)


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    partner: Callable[[Authority], tuple[Path, Path]] | None = None,
    is_secure: bool = True,
    **settings: list[str],
) -> AsyncIterator[Stage]:
    authority = Authority(folder)
    theirs = authority.sign(BETA, f"conference.{BETA}") if partner is None else partner(authority)
    records = {
        f"_xmpp-server._tcp.{ALPHA}": [f"SRV 0 5 {S2S_PORT} host.{ALPHA}."],
        f"_xmpp-server._tcp.{BETA}": [f"SRV 0 5 15269 host.{BETA}."],
        f"_xmpp-server._tcp.conference.{ALPHA}": [f"SRV 0 5 {S2S_PORT} host.{ALPHA}."],
        f"_xmpp-server._tcp.conference.{BETA}": [f"SRV 0 5 15269 host.{BETA}."],
        f"host.{ALPHA}": ["A 127.0.0.1"],
        f"host.{BETA}": ["A 127.0.0.1"],
    }
    prosody = Prosody(folder, BETA, theirs, authority.ca_file, is_secure=is_secure)
    prosody.add("bob", "secret")
    parley = Parley(authority.sign(ALPHA, f"conference.{ALPHA}"), authority.ca_file, **settings)
    try:
        with NameServer(records), prosody, parley:
            yield Stage(parley, prosody, authority, parley.person(), Person(f"bob@{BETA}", "secret"))
    except BaseException:
        print("--- prosody\n" + prosody.log_tail(), file=sys.stderr)
        raise


async def talk(alice: SlixClient, bob: SlixClient, word: str = "hello") -> None:
    """One message each way."""
    alice.send_message(bob.boundjid.bare, f"{word} from alpha", mtype="chat")
    await bob.receive_body(f"{word} from alpha")
    bob.send_message(alice.boundjid.bare, f"{word} from beta", mtype="chat")
    await alice.receive_body(f"{word} from beta")


async def messages(folder: Path) -> None:
    """Both ways, and a request in each."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        async with on.signed_in(alice, bob):
            await talk(alice, bob)
            for one, other in ((alice, bob), (bob, alice)):
                answer = await one.plugin["xep_0092"].get_version(other.boundjid)
                assert answer["type"] == "result", answer
                answer = await one.plugin["xep_0199"].send_ping(other.boundjid.domain)
                assert answer["type"] == "result", answer


async def beta_first(folder: Path) -> None:
    """The partner opens the stream."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        async with on.signed_in(alice, bob):
            await talk(bob, alice)


async def presence(folder: Path) -> None:
    """Subscriptions both ways, then who is there and who is not any more."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        async with on.signed_in(alice, bob):
            for client in (alice, bob):
                client.auto_authorize = client.auto_subscribe = True
            alice.send_presence_subscription(pto=bob.boundjid.bare)
            for one, other in ((alice, bob), (bob, alice)):
                await until(lambda a=one, b=other: a.client_roster[b.boundjid.bare]["subscription"] == "both")
                await until(
                    lambda a=one, b=other: any(
                        p["from"] == b.boundjid and p["type"] == "available" for p in a.presences
                    )
                )
            bob.send_presence(pshow="dnd", pstatus="busy")
            await until(lambda: any(p["status"] == "busy" for p in alice.presences))
            second = on.client(on.alice, "two")
            await on.sign_in(second)
            await until(lambda: any(p["from"] == bob.boundjid for p in second.presences))
            await until(lambda: any(p["from"] == second.boundjid for p in bob.presences))
            await second.leave()
            await until(lambda: any(p["from"] == second.boundjid and p["type"] == "unavailable" for p in bob.presences))
            alice.del_roster_item(bob.boundjid.bare)
            await until(lambda: bob.client_roster[alice.boundjid.bare]["subscription"] == "none")


async def carbons(folder: Path) -> None:
    """The other devices of both get copies."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        alice2, bob2 = on.client(on.alice, "two"), on.client(on.bob, "two")
        copies: dict[str, list[str]] = {"alice": [], "bob": []}
        async with on.signed_in(alice, alice2, bob, bob2):
            for name, client in (("alice", alice2), ("bob", bob2)):
                for kind in ("carbon_received", "carbon_sent"):
                    client.add_event_handler(kind, lambda m, n=name, k=kind: copies[n].append(f"{k} {m[k]['body']}"))
                await client.plugin["xep_0280"].enable()
            alice.send_message(bob.boundjid.full, "to one device", mtype="chat")
            await bob.receive_body("to one device")
            bob.send_message(alice.boundjid.full, "and back", mtype="chat")
            await alice.receive_body("and back")
            for name, words in (("alice", ("sent", "received")), ("bob", ("received", "sent"))):
                expected = [f"carbon_{words[0]} to one device", f"carbon_{words[1]} and back"]
                await until(lambda n=name, e=expected: copies[n] == e)


async def cut(folder: Path) -> None:
    """The partner is killed in the middle and comes back: nothing that was accepted is lost."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        async with on.signed_in(alice):
            await on.sign_in(bob)
            await talk(alice, bob)
            on.prosody.stop(signal.SIGKILL)
            for number in range(20):
                alice.send_message(f"bob@{BETA}", f"while away {number}", mtype="chat")
            await asyncio.sleep(2)
            on.prosody.start()
            again = on.client(on.bob, "again")
            await on.sign_in(again)
            for number in range(20):
                await again.receive_body(f"while away {number}")
            texts = [text for text in again.bodies if text.startswith("while away")]
            assert texts == [f"while away {number}" for number in range(20)], texts
            await again.leave()


async def restart(folder: Path) -> None:
    """Our server is killed while messages wait for the partner: it sends them when it is back."""
    async with stage(folder) as on:
        alice = on.client(on.alice)
        on.prosody.stop(signal.SIGKILL)
        await on.sign_in(alice)
        alice.send_message(f"bob@{BETA}", "kept", mtype="chat")
        await alice.plugin["xep_0199"].send_ping(ALPHA)
        on.parley.kill()
        on.prosody.start()
        on.parley.start()
        bob = on.client(on.bob)
        await on.sign_in(bob)
        await bob.receive_body("kept")
        await bob.leave()


async def refused(on: Stage, code: str) -> None:
    """Neither side takes the other; who sends is told."""
    alice, bob = on.client(on.alice), on.client(on.bob)
    async with on.signed_in(alice, bob):
        alice.send_message(bob.boundjid.bare, "out", mtype="chat")
        error = await alice.receive(lambda message: message["type"] == "error")
        assert error["error"]["condition"] == "remote-server-not-found", error
        await until(lambda: code in on.parley.log.read_text())
        bob.send_message(alice.boundjid.bare, "in", mtype="chat")
        await bob.receive(lambda message: message["type"] == "error")
        assert not alice.bodies, alice.bodies


async def expired(folder: Path) -> None:
    """The partner's certificate is out of date."""
    async with stage(folder, partner=lambda ca: ca.sign(BETA, from_days=-10, to_days=-1)) as on:
        await refused(on, "certificate-untrusted")


async def wrong_name(folder: Path) -> None:
    """The partner's certificate is another domain's."""
    async with stage(folder, partner=lambda ca: ca.sign("gamma.example")) as on:
        await refused(on, "certificate-wrong-name")


async def unknown_authority(folder: Path) -> None:
    """Nobody here knows who signed the partner's certificate."""
    (folder / "other").mkdir()
    async with stage(folder, partner=lambda _: Authority(folder / "other").sign(BETA)) as on:
        await refused(on, "certificate-untrusted")


async def dialback(folder: Path) -> None:
    """Where it is allowed, the name system vouches for a partner with a certificate of its own making."""
    (folder / "other").mkdir()
    async with stage(
        folder,
        partner=lambda _: Authority(folder / "other").sign(BETA),
        is_secure=False,
        federation=["dialback = true"],
    ) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        async with on.signed_in(alice, bob):
            await talk(alice, bob)


async def no_such_domain(folder: Path) -> None:
    """A domain that does not exist is told at once."""
    async with stage(folder) as on:
        alice = on.client(on.alice)
        async with on.signed_in(alice):
            alice.send_message("bob@gamma.example", "hello", mtype="chat")
            error = await alice.receive(lambda message: message["type"] == "error")
            assert error["error"]["condition"] == "remote-server-not-found", error


async def rooms(folder: Path) -> None:
    """Each in a room of the other server, both speaking."""
    async with stage(folder) as on:
        alice, bob = on.client(on.alice), on.client(on.bob)
        for client in (alice, bob):
            client.register_plugin("xep_0045")
        async with on.signed_in(alice, bob):
            for domain, first, second in ((ALPHA, alice, bob), (BETA, bob, alice)):
                room = f"talk@conference.{domain}"
                await first.plugin["xep_0045"].join_muc_wait(room, "host", timeout=20)
                await first.plugin["xep_0045"].set_room_config(
                    room, await first.plugin["xep_0045"].get_room_config(room)
                )
                await second.plugin["xep_0045"].join_muc_wait(room, "guest", timeout=20)
                first.send_message(room, f"welcome to {domain}", mtype="groupchat")
                second.send_message(room, f"glad to be at {domain}", mtype="groupchat")
                for client in (first, second):
                    await client.receive_body(f"welcome to {domain}")
                    await client.receive_body(f"glad to be at {domain}")
                second.plugin["xep_0045"].leave_muc(room, "guest")
                await until(lambda c=first, r=room: "guest" not in c.plugin["xep_0045"].get_roster(r))


SCENES: dict[str, Callable[[Path], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (
        messages,
        beta_first,
        presence,
        carbons,
        rooms,
        cut,
        restart,
        expired,
        wrong_name,
        unknown_authority,
        dialback,
        no_such_domain,
    )
}


def main() -> None:
    """Play one scene inside the namespaces that `unshare -n -m` made."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    logging.disable(logging.CRITICAL)
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.53\noptions timeout:1 attempts:2\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
    asyncio.run(asyncio.wait_for(SCENES[name](folder), 150))


if __name__ == "__main__":
    main()
