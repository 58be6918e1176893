"""Signing in under attack, with failing storage, and while the account changes."""

from __future__ import annotations

import asyncio
import base64

import pytest
from tests.edges.xmpp.wires import HEADER, PASSWORD, Edge, FakeWire, an_edge
from tests.protocols.xmpp.scram_client import ScramClient

from parley.domain.errors import StorageFull, StorageUnavailable
from parley.identity.sign_in import credentials_for

SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


def plain(password: str, user: str = "alice") -> str:
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return f"<auth {SASL} mechanism='PLAIN'>{token}</auth>"


async def scram(edge: Edge, wire: FakeWire, mechanism: str, client: ScramClient) -> str:
    """The last that is answered: to the final message, or to the first when that is refused."""
    first = base64.b64encode(client.first()).decode()
    answer = await edge.say(wire, f"<auth {SASL} mechanism='{mechanism}'>{first}</auth>")
    if "<challenge" not in answer:
        return answer
    challenge = base64.b64decode(answer.partition(">")[2].partition("<")[0])
    return await edge.say(wire, f"<response {SASL}>{base64.b64encode(client.final(challenge)).decode()}</response>")


async def authenticated(edge: Edge) -> FakeWire:
    wire = edge.open()
    await edge.say(wire, HEADER)
    await edge.ask(wire, plain(PASSWORD), "<success")
    await edge.say(wire, HEADER)
    return wire


async def test_guesses_made_at_once_are_answered_as_few_as_one_by_one() -> None:
    login = {"scram_iterations": 4096, "failures_per_account": 3, "failure_window_s": 60}
    async with an_edge(login=login) as edge:
        wires = [edge.open(peer=f"192.0.2.{number}") for number in range(12)]
        for wire in wires:
            await edge.say(wire, HEADER)
        answers = await asyncio.gather(*(edge.ask(wire, plain("wrong"), "</failure>") for wire in wires))
        assert sum("<not-authorized/>" in answer for answer in answers) == 3
        assert sum("<temporary-auth-failure/>" in answer for answer in answers) == 9


@pytest.mark.parametrize("name", ["a b", "@", "alice/\u0007"])
async def test_names_that_name_nobody_count_as_failures_too(name: str) -> None:
    login = {"scram_iterations": 4096, "failures_per_account": 100, "failures_per_address": 3, "failure_window_s": 60}
    async with an_edge(login=login) as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        answers = [await edge.ask(wire, plain("guess", name), "</failure>") for _ in range(4)]
        assert ["<not-authorized/>" in answer for answer in answers] == [True, True, True, False]
        assert "<temporary-auth-failure/>" in answers[3]


async def test_peers_of_one_ipv6_network_are_one_peer() -> None:
    async with an_edge(limits={"max_connections_per_address": 2}) as edge:
        assert not edge.open(peer="2001:db8::1").is_closed
        assert not edge.open(peer="2001:db8::2").is_closed
        assert edge.open(peer="2001:db8::3").is_closed
        assert not edge.open(peer="2001:db8:0:1::3").is_closed


async def test_a_mechanism_that_is_refused_as_such_is_no_guess_at_a_password() -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 2}) as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        for _ in range(3):
            assert "<invalid-mechanism/>" in await edge.say(wire, f"<auth {SASL} mechanism='X'/>")
            await edge.say(wire, f"<auth {SASL} mechanism='PLAIN'/>")
            assert "<aborted/>" in await edge.say(wire, f"<abort {SASL}/>")
        # Three kinds of channel binding that do not end where the client is connected to, as behind a proxy.
        for name, hash_name in (("512", "sha512"), ("256", "sha256"), ("1", "sha1")):
            client = ScramClient(hash_name, "alice", PASSWORD, binding=("tls-server-end-point", b"another"))
            assert "<not-authorized/>" in await scram(edge, wire, f"SCRAM-SHA-{name}-PLUS", client)
            client = ScramClient(hash_name, "alice", PASSWORD, binding=("tls-exporter", b"x"))
            assert "<malformed-request/>" in await scram(edge, wire, f"SCRAM-SHA-{name}-PLUS", client)
        answer = await scram(edge, wire, "SCRAM-SHA-256", ScramClient("sha256", "alice", PASSWORD))
        assert answer.startswith("<success")


async def test_what_is_no_guess_ends_too() -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 2}) as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        for _ in range(19):
            assert "<stream:error" not in await edge.say(wire, f"<auth {SASL} mechanism='X'/>")
        assert "<policy-violation" in await edge.say(wire, f"<abort {SASL}/>")
        assert wire.is_closed


async def test_guesses_end_the_stream_whatever_was_wrong_with_them() -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 3}) as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        await edge.say(wire, f"<auth {SASL} mechanism='PLAIN'>%</auth>")
        client = ScramClient("sha256", "alice", "guess", binding=("tls-server-end-point", b"another"))
        assert "<not-authorized/>" in await scram(edge, wire, "SCRAM-SHA-256-PLUS", client)
        assert not wire.is_closed
        assert "<policy-violation" in await edge.ask(wire, plain("guess"), "</stream:stream>")


async def test_a_guess_is_a_guess_behind_another_channel() -> None:
    login = {"scram_iterations": 4096, "failures_per_account": 1, "failure_window_s": 60}
    async with an_edge(login=login) as edge:
        for password, is_guess in ((PASSWORD, False), ("guess", True)):
            wire = edge.open()
            await edge.say(wire, HEADER)
            client = ScramClient("sha256", "alice", password, binding=("tls-server-end-point", b"another"))
            assert "<not-authorized/>" in await scram(edge, wire, "SCRAM-SHA-256-PLUS", client)
            answer = await edge.ask(wire, plain(PASSWORD), ">")
            assert ("<temporary-auth-failure/>" in answer) is is_guess


@pytest.mark.parametrize("authzid", ["@", "bob@example.org", "alice@elsewhere.example"])
async def test_whom_to_act_for_is_oneself(authzid: str) -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        client = ScramClient("sha256", "alice", PASSWORD, authzid=authzid)
        assert "<invalid-authzid/>" in await scram(edge, wire, "SCRAM-SHA-256", client)
        client = ScramClient("sha256", "alice", PASSWORD, authzid="Alice@example.org")
        assert (await scram(edge, wire, "SCRAM-SHA-256", client)).startswith("<success")


async def test_a_full_disk_lets_people_in() -> None:
    async with an_edge() as edge:
        wire = await authenticated(edge)

        async def seen(*_: object, **_named: object) -> None:
            raise StorageFull("storage-full")

        edge.storage.devices.seen = seen  # type: ignore[method-assign]
        assert 'type="result"' in await edge.say(wire, BIND)


@pytest.mark.parametrize("change", ["remove", "suspend"])
async def test_an_account_that_was_closed_since_signing_in_binds_nothing(change: str) -> None:
    async with an_edge() as edge:
        wire = await authenticated(edge)
        account = await edge.storage.accounts.find("alice@example.org")
        assert account is not None
        if change == "remove":
            await edge.storage.accounts.remove(account.id)
        else:
            await edge.storage.accounts.set_suspended(account.id, True)
        edge.host.stores.directory.forget(account.address)
        assert "<not-authorized " in await edge.say(wire, BIND)
        assert wire.is_closed
        assert list(edge.host.router) == []


async def test_who_binds_while_the_stream_ends_is_not_there() -> None:
    async with an_edge() as edge:
        wire = await authenticated(edge)
        assert wire.receiver is not None
        going_on = asyncio.Event()
        seen = edge.storage.devices.seen

        async def slow(*values: object, **named: object) -> None:
            await going_on.wait()
            await seen(*values, **named)  # type: ignore[arg-type]

        edge.storage.devices.seen = slow  # type: ignore[method-assign]
        await edge.say(wire, BIND)
        edge.tick(31)
        going_on.set()
        answer = await edge.settle(wire)
        assert answer.endswith("</stream:stream>")
        assert list(edge.host.router) == []


@pytest.mark.parametrize("error", [StorageUnavailable("storage-failed"), StorageFull("storage-full")])
async def test_storage_that_fails_asks_to_try_later(error: StorageUnavailable) -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)

        async def credentials(_address: str) -> list[object]:
            raise error

        edge.storage.accounts.credentials = credentials  # type: ignore[assignment,method-assign]
        assert "<temporary-auth-failure/>" in await edge.say(wire, plain(PASSWORD))
        assert not wire.is_closed


async def test_a_password_changed_during_the_exchange_is_the_one_that_counts() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        client = ScramClient("sha256", "alice", PASSWORD)
        first = base64.b64encode(client.first()).decode()
        answer = await edge.say(wire, f"<auth {SASL} mechanism='SCRAM-SHA-256'>{first}</auth>")
        challenge = base64.b64decode(answer.partition(">")[2].partition("<")[0])
        final = base64.b64encode(client.final(challenge)).decode()
        account = await edge.storage.accounts.find("alice@example.org")
        assert account is not None
        await edge.storage.accounts.set_credentials(account.id, credentials_for("new", 4096, bytes))
        assert "<not-authorized/>" in await edge.say(wire, f"<response {SASL}>{final}</response>")
