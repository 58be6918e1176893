"""What is unread, and which words are found, on a real server that is killed: both follow from what was committed."""

from __future__ import annotations

import asyncio

from tests.support.limits import within
from tests.support.raw_client import SM, RawClient
from tests.support.server import ParleyServer, Person

INBOX = "<inbox xmlns='urn:xmpp:inbox:1' messages='false'/>"
FIELD = "{urn:xmpp:fulltext:0}fulltext"


async def signed_in(server: ParleyServer, person: Person, resource: str) -> RawClient:
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(person.name, person.password, resource)
    await client.enable_sm()
    return client


async def acknowledged(client: RawClient, count: int) -> None:
    """Wait until the server has committed so many stanzas of this stream."""
    client.send(f"<r xmlns='{SM}'/>")
    await client.recv_until(lambda element: element.tag == f"{{{SM}}}a" and int(element.get("h", "0")) >= count)


async def unread(client: RawClient) -> str | None:
    answer = await client.iq("get", INBOX)
    return answer[0].get("all-unread")


async def found(client: RawClient, words: str) -> str | None:
    """How many messages have the words, None while the index is behind."""
    field = f"<field var='{FIELD}'><value>{words}</value></field>"
    query = f"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>{field}</x></query>"
    fin = (await client.iq("set", query))[0]
    return None if fin.get("stable") == "false" else fin.findtext(".//{http://jabber.org/protocol/rsm}count")


@within(120)
async def test_a_kill_changes_neither_what_is_unread_nor_what_is_found() -> None:
    with ParleyServer({"archive": ["full_text = true"]}, people=2) as server:
        alice, bob = server.person(), server.person()
        phone, desk = await signed_in(server, alice, "phone"), await signed_in(server, bob, "desk")
        for number in range(5):
            desk.send(f"<message type='chat' id='b{number}' to='{alice.address}'><body>rain {number}</body></message>")
        await acknowledged(desk, 5)
        assert await unread(phone) == "5"
        phone.send(
            f"<message type='chat' to='{bob.address}'><displayed xmlns='urn:xmpp:chat-markers:0' id='b2'/></message>"
        )
        await acknowledged(phone, 2)
        server.kill()
        for client in (phone, desk):
            client.cut()
        await asyncio.to_thread(server.start)
        for resource in ("phone", "tablet"):
            device = await signed_in(server, alice, resource)
            assert await unread(device) == "2"
            while (count := await found(device, "rain")) is None:
                await asyncio.sleep(0.1)
            assert (count, await found(device, "rain 3")) == ("5", "1")
            device.cut()
