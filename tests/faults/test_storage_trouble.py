"""A disk that takes nothing more, and a database damaged under a running server: what people are told, what stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer

STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
PUBSUB = "http://jabber.org/protocol/pubsub"
ROSTER = "<query xmlns='jabber:iq:roster'/>"
NODE = "urn:example:note"
PAGE_BYTES = 4096


@pytest.fixture
def server() -> Iterator[ParleyServer]:
    with ParleyServer() as started:
        yield started


def roster_set(name: str) -> str:
    return f"<query xmlns='jabber:iq:roster'><item jid='{name}@localhost'/></query>"


def publish(text: str) -> str:
    item = f"<item id='one'><note xmlns='{NODE}'>{text}</note></item>"
    return f"<pubsub xmlns='{PUBSUB}'><publish node='{NODE}'>{item}</publish></pubsub>"


ITEMS = f"<pubsub xmlns='{PUBSUB}'><items node='{NODE}'/></pubsub>"
ARCHIVE = "<query xmlns='urn:xmpp:mam:2'/>"


async def contacts(client: RawClient) -> list[str | None]:
    return [item.get("jid") for item in (await client.iq("get", ROSTER))[0]]


async def note(client: RawClient) -> str:
    answer = await client.iq("get", ITEMS)
    return "".join(element.text or "" for element in answer.iter(f"{{{NODE}}}note"))


async def pushed(client: RawClient) -> str | None:
    """The contact of the next roster push."""
    push = await client.recv_until(lambda element: element.tag.endswith("}iq") and element.get("type") == "set")
    return push[0][0].get("jid")


def refusal(answer: etree._Element) -> tuple[str | None, str | None, str]:
    """Type of the answer, of its error, and the condition."""
    error = answer.find("{jabber:client}error")
    assert error is not None, etree.tostring(answer)
    return answer.get("type"), error.get("type"), error[0].tag.removeprefix(STANZAS)


async def test_a_disk_that_takes_nothing_refuses_contacts_and_items_and_harms_none(server: ParleyServer) -> None:
    one, other = server.person(), server.person()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(one.name, one.password, "one")
    witness = await RawClient("127.0.0.1", server.c2s_port).connect()
    await witness.session(one.name, one.password, "two")
    await witness.iq("get", ROSTER)
    assert (await client.iq("set", roster_set("first"))).get("type") == "result"
    assert (await client.iq("set", publish("first"))).get("type") == "result"
    assert await pushed(witness) == "first@localhost"

    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    # Whatever would be written to any file, the log of the process included, is refused by the system.
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    refused = ("error", "wait", "resource-constraint")
    assert refusal(await client.iq("set", roster_set("second"))) == refused
    assert refusal(await client.iq("set", publish("second"))) == refused
    client.send(f"<message to='{other.address}' type='chat' id='m'><body>lost?</body></message>")
    answer = await client.recv_until(lambda element: element.get("id") == "m")
    assert refusal(answer) == refused
    assert not server.is_ready()
    # Reading goes on, and shows nothing that was refused.
    assert await contacts(client) == ["first@localhost"]
    assert await note(client) == "first"

    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
    assert (await client.iq("set", roster_set("third"))).get("type") == "result"
    # Nobody was told of the refused one: pushes come in order, and this is the next.
    assert await pushed(witness) == "third@localhost"
    assert (await client.iq("set", publish("third"))).get("type") == "result"
    assert server.is_ready()
    await client.close()
    await witness.close()
    server.kill()
    server.start()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(one.name, one.password)
    assert sorted(await contacts(client)) == ["first@localhost", "third@localhost"]  # type: ignore[type-var]
    assert await note(client) == "third"
    await client.close()


async def test_a_database_damaged_while_it_runs_takes_nothing_more(server: ParleyServer) -> None:
    one, other = server.person(), server.person()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(one.name, one.password)
    await client.enable_sm()
    for number in range(300):
        client.send(f"<message to='{other.address}' type='chat' id='m{number}'><body>{'x' * 500}</body></message>")
    assert (await client.iq("set", roster_set("first"))).get("type") == "result"
    await client.close()
    # Once more from cold caches: what has been read already would not be looked up in the file.
    server.stop()
    server.start()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(one.name, one.password)
    _damage(server.data / "parley.db")
    refused = ("error", "wait", "resource-constraint")
    assert refusal(await client.iq("set", ARCHIVE)) == refused
    # What is written into a damaged file may be lost with it: nothing is acknowledged any more.
    assert refusal(await client.iq("set", roster_set("second"))) == refused
    assert refusal(await client.iq("set", publish("second"))) == refused
    assert not server.is_ready()
    await client.close()


def _damage(database: Path) -> None:
    size = database.stat().st_size
    assert size > 30 * PAGE_BYTES
    with database.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(b"\xff" * (size - PAGE_BYTES))
