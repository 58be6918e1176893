"""XEP-0163: who hears of what is published."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.domain.pubsub.nodes import NodeItem
from parley.protocols.xmpp.caps import Caps, DiscoInfo, Identity, verification_string
from parley.storage.memory.nodes import MemoryNodes

from ..harness import Client, Harness, address, parse
from .test_pubsub import form, options, publish

TUNE = "http://jabber.org/protocol/tune"


async def notified(host: Harness, name: str, node: str = TUNE) -> Client:
    """A client that is available and wants to hear of `node`."""
    client = await host.connect(name)
    info = DiscoInfo((Identity("client", "phone"),), (f"{node}+notify",))
    caps = Caps("sha-1", "https://client.example", verification_string(info))
    await client.send(f"<presence>{caps.to_bytes().decode()}</presence>")
    for stanza in client.connection.sent[:]:
        asked = parse(stanza.decode())
        if asked.get("type") == "get":
            client.connection.sent.remove(stanza)
            await client.send(
                f"<iq type='result' id='{asked.get('id')}' to='{asked.get('from')}'>"
                f"{info.to_bytes(asked[0].get('node')).decode()}</iq>"
            )
    client.connection.sent[:] = [stanza for stanza in client.connection.sent if stanza.startswith(b"<message")]
    return client


def event(sender: str, to: str, content: str, delay: str = "", by: str = "laptop") -> str:
    """What one who sees the sender's presence is told; of a new item also which device published it."""
    if "<item " in content:
        address_ = f"<address type='replyto' jid='{address(f'{sender}/{by}')}'/>"
        delay = f"<addresses xmlns='http://jabber.org/protocol/address'>{address_}</addresses>{delay}"
    return (
        f"<message from='{address(sender)}' to='{address(to)}' type='headline' id='*'>"
        f"<event xmlns='http://jabber.org/protocol/pubsub#event'>{content}</event>{delay}</message>"
    )


def items(content: str, node: str = TUNE) -> str:
    return f"<items node='{node}'>{content}</items>"


SONG = f"<item id='1'><tune xmlns='{TUNE}'><title>Yes</title></tune></item>"
DELAY = "<delay xmlns='urn:xmpp:delay' from='alice@example.org' stamp='2024-01-01T00:00:00Z'/>"


async def test_own_devices_and_subscribers_hear_of_it() -> None:
    async with Harness() as host:
        await host.add("alice", "bob", "carol", "dave")
        await host.befriend("alice", "bob")
        await host.befriend("alice", "dave")
        phone, laptop = await notified(host, "alice/phone"), await host.connect("alice/laptop", presence="")
        bob, carol = await notified(host, "bob/desk"), await notified(host, "carol/desk")
        dave = await notified(host, "dave/desk", "urn:other")
        phone.take()
        await laptop.send(publish(TUNE, SONG))
        phone.expect(event("alice", "alice/phone", items(SONG)))
        bob.expect(event("alice", "bob/desk", items(SONG)))
        carol.expect()
        dave.expect()


async def test_who_comes_gets_the_last_item() -> None:
    async with Harness() as host:
        await host.add("alice", "bob", "carol")
        await host.befriend("alice", "bob")
        laptop = await host.connect("alice/laptop")
        await laptop.send(publish(TUNE, SONG))
        host.clock.advance(60)
        for name in ("alice/phone", "bob/desk"):
            client = await notified(host, name)
            client.expect(event("alice", name, items(SONG), DELAY))
        (await notified(host, "carol/desk")).expect()


async def test_never_means_never() -> None:
    async with Harness() as host:
        await host.add("alice")
        laptop = await host.connect("alice/laptop")
        await laptop.send(publish(TUNE, SONG, options(send_last_published_item="never")))
        (await notified(host, "alice/phone")).expect()


async def test_who_is_let_in_gets_the_last_item() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/laptop", presence="")
        await alice.send(publish(TUNE, SONG))
        bob = await notified(host, "bob/desk")
        bob.expect()
        await bob.send("<presence to='alice@example.org' type='subscribe'/>")
        bob.take()
        await alice.send("<presence to='bob@example.org' type='subscribed'/>")
        messages = [stanza for stanza in bob.take() if stanza.startswith("<message")]
        assert len(messages) == 1
        assert "Yes" in messages[0]


@pytest.mark.parametrize(
    ("model", "hears"),
    [("open", True), ("presence", True), ("whitelist", False), ("roster", False)],
)
async def test_access_models_decide(model: str, hears: bool) -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob", groups=("Friends",))
        laptop = await host.connect("alice/laptop")
        bob = await notified(host, "bob/desk")
        await laptop.send(publish(TUNE, SONG, options(access_model=model)))
        bob.expect(*[event("alice", "bob/desk", items(SONG))] * hears)
        other = await notified(host, "bob/phone")
        other.expect(*[event("alice", "bob/phone", items(SONG), DELAY)] * hears)


async def test_a_roster_group_is_let_in() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob", groups=("Friends",))
        laptop, bob = await host.connect("alice/laptop"), await notified(host, "bob/desk")
        await laptop.send(publish(TUNE, SONG, options(access_model="roster", roster_groups_allowed="Friends")))
        bob.expect(event("alice", "bob/desk", items(SONG)))


async def test_nothing_after_leaving() -> None:
    async with Harness() as host:
        await host.add("alice")
        laptop, phone = await host.connect("alice/laptop"), await notified(host, "alice/phone")
        await phone.send("<presence type='unavailable'/>")
        phone.take()
        await laptop.send(publish(TUNE, SONG))
        phone.expect()


async def test_what_else_is_told() -> None:
    async with Harness() as host:
        await host.add("alice")
        laptop, phone = await host.connect("alice/laptop"), await notified(host, "alice/phone")
        await laptop.send(publish(TUNE, SONG))
        phone.take()

        async def told(stanza: str, *content: str) -> None:
            await laptop.send(stanza)
            phone.expect(*(event("alice", "alice/phone", each) for each in content))

        retract = (
            "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
            f"<retract node='{TUNE}'{{}}><item id='1'/></retract></pubsub></iq>"
        )
        owner = "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{}</pubsub></iq>"
        await told(retract.format(""), items("<retract id='1'/>"))
        await told(owner.format(f"<purge node='{TUNE}'/>"), f"<purge node='{TUNE}'/>")
        quiet = form("node_config", notify_retract="0", notify_delete="0")
        await told(owner.format(f"<configure node='{TUNE}'>{quiet}</configure>"))
        await told(owner.format(f"<purge node='{TUNE}'/>"))
        await laptop.send(publish(TUNE, SONG))
        phone.take()
        await told(retract.format(""))
        await laptop.send(publish(TUNE, SONG))
        phone.take()
        # The publisher may ask for it (XEP-0060 §7.2.1).
        await told(retract.format(" notify='true'"), items("<retract id='1'/>"))
        loud = form("node_config", notify_delete="1")
        await told(owner.format(f"<configure node='{TUNE}'>{loud}</configure>"))
        await told(owner.format(f"<delete node='{TUNE}'/>"), f"<delete node='{TUNE}'/>")


class SlowNodes:
    """A store whose readers get their items late."""

    def __init__(self, nodes: MemoryNodes) -> None:
        self._nodes = nodes
        self.go_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nodes, name)

    async def items(self, *arguments: Any) -> list[NodeItem]:
        items = await self._nodes.items(*arguments)
        await self.go_on.wait()
        return items


async def test_an_item_that_is_read_slowly_never_comes_behind_its_successor() -> None:
    async with Harness() as host:
        await host.add("alice")
        laptop = await host.connect("alice/laptop")
        await laptop.send(publish(TUNE, SONG))
        slow = host.host.stores.nodes = SlowNodes(host.storage.nodes)  # type: ignore[assignment]
        phone = await notified(host, "alice/phone")
        await laptop.send(publish(TUNE, SONG.replace("Yes", "No")))
        slow.go_on.set()
        await host.settle()
        phone.expect(
            event("alice", "alice/phone", items(SONG), DELAY),
            event("alice", "alice/phone", items(SONG.replace("Yes", "No"))),
        )
