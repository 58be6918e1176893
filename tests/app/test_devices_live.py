"""Signing in by token, and devices that are revoked, with a real server, real TLS and the command line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from lxml import etree
from tests.support.limits import within
from tests.support.modern_client import BIND2, SASL2, ModernClient
from tests.support.raw_client import SM, RawClient, StreamClosedError
from tests.support.server import ParleyServer, Person

CUT_S = 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[ParleyServer]:
    with ParleyServer(people=8, is_measured=True) as server:
        yield server


async def enrolled(server: ParleyServer, person: Person, agent: str = "phone") -> ModernClient:
    """An installation with a session and a token."""
    client = ModernClient(server.tls_port, person.name, agent)
    outcome = await client.sign_in(person.password)
    assert outcome.tag == f"{{{SASL2}}}success", etree.tostring(outcome)
    assert client.token
    return client


def devices(server: ParleyServer, person: Person) -> list[dict[str, object]]:
    said = server.run("device", "list", person.address, "--json", "--config", str(server.config))
    found: list[dict[str, object]] = json.loads(said)["devices"]
    return found


def condition(outcome: etree._Element) -> str:
    assert outcome.tag == f"{{{SASL2}}}failure", etree.tostring(outcome)
    return str(outcome[0].tag).rpartition("}")[2]


async def ended(client: RawClient) -> str:
    """Wait for the end of the stream; returns the condition of its error."""
    found = ""
    try:
        while True:
            element = await client.recv()
            if element.tag.endswith("}error"):
                found = str(element[0].tag).rpartition("}")[2]
    except StreamClosedError:
        return found


@within(60)
async def test_an_installation_comes_again_in_one_round_trip(server: ParleyServer) -> None:
    person = server.person()
    phone = await enrolled(server, person)
    assert phone.round_trips == 2
    address = phone.jid
    assert (await phone.connection.iq("get", "<ping xmlns='urn:xmpp:ping'/>")).get("type") == "result"
    phone.connection.cut()
    outcome = await phone.come_again(h=1)
    assert phone.round_trips == 1
    assert phone.jid == address
    assert outcome.find(f"{{{SM}}}resumed") is not None
    assert outcome.find(f"{{{BIND2}}}bound") is None
    assert (await phone.connection.iq("get", "<ping xmlns='urn:xmpp:ping'/>")).get("type") == "result"
    await phone.connection.close()


@within(60)
async def test_what_came_meanwhile_comes_with_the_resumption(server: ParleyServer) -> None:
    person, other = server.person(), server.person()
    phone = await enrolled(server, person)
    phone.connection.send("<presence/>")
    await phone.connection.recv_until(lambda element: element.tag.endswith("}presence"))
    phone.connection.cut()
    sender = await enrolled(server, other)
    sender.connection.send(
        f"<message to='{person.address}' type='chat' id='m'><body>while you were away</body></message><r xmlns='{SM}'/>"
    )
    await sender.connection.recv_until(lambda element: element.tag == f"{{{SM}}}a")
    await phone.come_again(h=1)
    message = await phone.connection.recv_until(lambda element: element.tag.endswith("}message"))
    assert message.findtext("{jabber:client}body") == "while you were away"
    await phone.connection.close()
    await sender.connection.close()


@within(120)
async def test_tokens_outlive_a_restart_and_a_kill(server: ParleyServer) -> None:
    person = server.person()
    phone = await enrolled(server, person)
    await asyncio.to_thread(server.restart)
    outcome = await phone.come_again()
    assert outcome.tag == f"{{{SASL2}}}success"
    await phone.connection.close()


@within(120)
async def test_a_revoked_device_is_cut_within_a_second_and_its_token_is_worth_nothing(server: ParleyServer) -> None:
    person = server.person()
    phone, desk = await enrolled(server, person), await enrolled(server, person, "desk")
    resource = phone.jid.partition("/")[2]
    listed = {str(device["resource"]): device for device in devices(server, person)}
    assert set(listed) == {resource, desk.jid.partition("/")[2]}
    assert listed[resource]["name"] == "phone"
    assert listed[resource]["software"] == "Test"
    assert listed[resource]["has_token"]
    revoked = asyncio.create_task(ended(phone.connection))
    await asyncio.to_thread(server.run, "device", "revoke", person.address, resource, "--config", str(server.config))
    at = time.monotonic()
    assert await revoked == "not-authorized"
    # The command ends when the server has done it: the stream is over by then, or as good as.
    assert time.monotonic() - at < CUT_S
    assert condition(await phone.come_again()) == "not-authorized"
    assert (await desk.connection.iq("get", "<ping xmlns='urn:xmpp:ping'/>")).get("type") == "result"
    assert [device["name"] for device in devices(server, person)] == ["desk"]
    await desk.connection.close()


@within(60)
async def test_a_device_revokes_another(server: ParleyServer) -> None:
    person = server.person()
    phone, desk = await enrolled(server, person), await enrolled(server, person, "desk")
    resource = phone.jid.partition("/")[2]
    revoked = asyncio.create_task(ended(phone.connection))
    answer = await desk.connection.iq("set", f"<revoke xmlns='urn:parley:devices:0' resource='{resource}'/>")
    at = time.monotonic()
    assert answer.get("type") == "result"
    assert await revoked == "not-authorized"
    assert time.monotonic() - at < CUT_S
    assert condition(await phone.come_again()) == "not-authorized"
    await desk.connection.close()


@within(60)
async def test_a_new_password_ends_tokens_and_leaves_streams(server: ParleyServer) -> None:
    person = server.person()
    phone = await enrolled(server, person)
    await asyncio.to_thread(
        server.run,
        "user",
        "password",
        person.address,
        "--password-stdin",
        "--config",
        str(server.config),
        given="another one\n",
    )
    assert (await phone.connection.iq("get", "<ping xmlns='urn:xmpp:ping'/>")).get("type") == "result"
    stream = phone.connection
    assert condition(await phone.come_again()) == "not-authorized"
    outcome = await phone.sign_in("another one")
    assert outcome.tag == f"{{{SASL2}}}success"
    await stream.close()
    await phone.connection.close()


@within(60)
async def test_signing_out_for_good(server: ParleyServer) -> None:
    person = server.person()
    phone = await enrolled(server, person)
    await phone.come_again(attributes="invalidate='true'")
    assert condition(await phone.come_again()) == "not-authorized"
