"""One account's presence reaches all its contacts: how much of that is bounded, whatever its client sends."""

from __future__ import annotations

from parley.base.config import LimitSettings

from ..harness import Harness

PRESENCE = "<presence/>"
GOING = "<presence type='unavailable'/>"


async def test_who_tells_contacts_too_much_is_heard_more_slowly_and_loses_nothing() -> None:
    limits = LimitSettings(spread_per_s=10, spread_burst=20)
    async with Harness(limits=limits) as harness:
        friends = [f"friend{number}" for number in range(10)]
        await harness.add("alice", *friends)
        for friend in friends:
            await harness.befriend("alice", friend)
        bob = await harness.connect("friend0/r", presence="")
        alice = await harness.connect("alice/r")
        bob.take()
        # Two broadcasts are the burst, the third is one too many: what follows it waits.
        await alice.send(PRESENCE, GOING, PRESENCE, GOING, PRESENCE)
        assert len(bob.take()) == 3
        harness.clock.advance(1)
        await harness.settle()
        assert len(bob.take()) == 1
        harness.clock.advance(1)
        await harness.settle()
        assert len(bob.take()) == 1


async def test_another_device_does_not_go_past_what_the_account_owes() -> None:
    async with Harness(limits=LimitSettings(spread_per_s=10, spread_burst=10)) as harness:
        await harness.add("alice", "bob")
        await harness.befriend("alice", "bob")
        bob = await harness.connect("bob/r", presence="")
        phone, tablet = await harness.connect("alice/phone"), await harness.connect("alice/tablet")
        bob.take()
        await phone.send(*[PRESENCE] * 20)
        assert len(bob.take()) == 11
        await tablet.send(PRESENCE)
        assert bob.take() == []
        harness.clock.advance(10)
        await harness.settle()
        assert any("alice@example.org/tablet" in stanza for stanza in bob.take())


async def test_who_has_few_contacts_is_not_slowed() -> None:
    async with Harness(limits=LimitSettings(spread_per_s=10, spread_burst=20)) as harness:
        await harness.add("alice")
        alice = await harness.connect("alice/r")
        await alice.send(*[PRESENCE] * 50)
        assert len(alice.take()) == 50


async def test_who_publishes_to_very_many_waits_for_the_answer() -> None:
    async with Harness(limits=LimitSettings(spread_per_s=10, spread_burst=20)) as harness:
        friends = [f"friend{number}" for number in range(10)]
        await harness.add("alice", *friends)
        for friend in friends:
            await harness.befriend("alice", friend)
            (await harness.connect(f"{friend}/r", presence="")).session.notify_nodes = frozenset({"n"})
        alice = await harness.connect("alice/r")
        publish = "<publish node='n'><item id='i'><a xmlns='x'/></item></publish>"
        request = f"<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{publish}</pubsub></iq>"
        await alice.send(*[request] * 3)
        assert sum("result" in stanza for stanza in alice.take()) == 2
        harness.clock.advance(1)
        await harness.settle()
        assert sum("result" in stanza for stanza in alice.take()) == 1
        # What nobody hears of costs nothing.
        await alice.send(*[request.replace("'n'", "'quiet'")] * 20)
        assert sum("result" in stanza for stanza in alice.take()) == 20
        # What is long counts as more: two pages for each of the contacts.
        await alice.send(request.replace("<a xmlns='x'/>", f"<a xmlns='x'>{'y' * 4096}</a>"))
        harness.clock.advance(1)
        await harness.settle()
        assert alice.take() == []
        harness.clock.advance(1)
        await harness.settle()
        assert sum("result" in stanza for stanza in alice.take()) == 1
