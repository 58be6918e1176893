"""Subscriptions and presence between two servers (RFC 6121 §3, §4)."""

from __future__ import annotations

from pathlib import Path

from tests.edges.xmpp.federation.net import Server, got, one, two_servers, until
from tests.edges.xmpp.harness import Client

from parley.edges.xmpp.federation.ports import Direction, Kind

ROSTER = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
EMPTY = "<iq type='result' id='r' from='{0}' to='{0}/{1}'><query xmlns='jabber:iq:roster' ver='*'/></iq>"
PUSH = (
    "<iq type='set' id='*' to='{}'><query xmlns='jabber:iq:roster' ver='*'>"
    "<item jid='{}' subscription='{}'{}/></query></iq>"
)
ALICE, BOB = "alice@alpha.example", "bob@beta.example"


async def signed_in(alpha: Server, beta: Server) -> tuple[Client, Client]:
    alice = await alpha.connect(f"{ALICE}/a", presence="<show>away</show>")
    bob = await beta.connect(f"{BOB}/b", presence="")
    for client in (alice, bob):
        await client.send(ROSTER)
        client.take()
    return alice, bob


async def befriended(alice: Client, bob: Client) -> None:
    await alice.send(f"<presence type='subscribe' to='{BOB}'/>")
    await one(bob, 'type="subscribe"')
    await bob.send(f"<presence type='subscribed' to='{ALICE}'/>", f"<presence type='subscribe' to='{ALICE}'/>")
    await one(alice, 'type="subscribe"')
    await alice.send(f"<presence type='subscribed' to='{BOB}'/>")
    await one(bob, "<show>away</show>")
    for client in (alice, bob):
        await client._harness.settle()
        client.take()


async def test_a_subscription_is_asked_for_granted_and_shows_presence(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await alice.send(f"<presence type='subscribe' to='{BOB}' id='s'><status>me</status></presence>")
        alice.expect(PUSH.format(f"{ALICE}/a", BOB, "none", " ask='subscribe'"))
        await got(bob, f"<presence type='subscribe' from='{ALICE}' to='{BOB}' id='s'><status>me</status></presence>")
        await bob.send(f"<presence type='subscribed' to='{ALICE}'/>")
        bob.expect(PUSH.format(f"{BOB}/b", ALICE, "from", ""))
        await got(
            alice,
            f"<presence type='subscribed' from='{BOB}' to='{ALICE}'/>",
            PUSH.format(f"{ALICE}/a", BOB, "to", ""),
            f"<presence from='{BOB}/b' to='{ALICE}'/>",
        )
        await bob.send("<presence type='unavailable'><status>bye</status></presence>")
        await got(alice, f"<presence type='unavailable' from='{BOB}/b' to='{ALICE}'><status>bye</status></presence>")


async def test_a_subscription_ends_on_both_sides(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await befriended(alice, bob)
        await bob.send(f"<presence type='unsubscribed' to='{ALICE}'/>")
        await one(bob, 'subscription="to"')
        await got(
            alice,
            # RFC 6121 §3.2.2: everybody is gone before the subscription is.
            f"<presence type='unavailable' from='{BOB}/b' to='{ALICE}'/>",
            f"<presence type='unsubscribed' from='{BOB}' to='{ALICE}'/>",
            PUSH.format(f"{ALICE}/a", BOB, "from", ""),
        )


async def test_who_removes_a_contact_is_gone_there(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await befriended(alice, bob)
        item = f"<item jid='{ALICE}' subscription='remove'/>"
        await bob.send(f"<iq type='set' id='x'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        await one(alice, 'type="unavailable"')
        await one(alice, 'type="unsubscribed"')
        contact = (await alpha.host.rosters.get(alice.session.account.id)).contacts[BOB]
        assert contact.state.subscription == "none"


async def test_who_comes_back_learns_who_is_there(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await befriended(alice, bob)
        again = await beta.connect(f"{BOB}/c")
        await again.send("<presence/>")
        assert f'from="{ALICE}/a"' in await one(again, "<show>away</show>")
        assert f'from="{BOB}/c"' in await one(alice, "presence")


async def test_who_comes_back_learns_that_nobody_is_there(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await befriended(alice, bob)
        await alice.send("<presence type='unavailable'/>")
        await one(bob, 'type="unavailable"')
        again = await beta.connect(f"{BOB}/c")
        await again.send("<presence/>")
        # RFC 6121 §4.3.2: from the bare address, as nobody has another.
        assert f'from="{ALICE}"' in await one(again, 'type="unavailable"')


async def test_probes_of_strangers_are_denied(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, _bob = await signed_in(alpha, beta)
        for number, address in enumerate((BOB, "nobody@beta.example"), start=1):
            await alice.send(f"<presence type='probe' to='{address}'/>")
            await until(lambda n=number: alpha.policy.seen.count(("beta.example", Direction.IN, Kind.PRESENCE)) == n)
        # Nothing was pending, so nobody is told (RFC 6121 §3.2.3).
        await alpha.settle()
        alice.expect()


async def test_who_has_been_granted_asks_again_and_is_answered(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await befriended(alice, bob)
        await alice.send(f"<presence type='subscribe' to='{BOB}'/>")
        await one(alice, f'from="{BOB}/b"')
        bob.expect()


async def test_directed_presence_and_its_end(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await signed_in(alpha, beta)
        await alice.send(f"<presence to='{BOB}/b'><show>chat</show></presence>")
        await got(bob, f"<presence from='{ALICE}/a' to='{BOB}/b'><show>chat</show></presence>")
        alice.session.end()
        await got(bob, f"<presence type='unavailable' from='{ALICE}/a' to='{BOB}/b'/>")


async def test_a_request_that_cannot_go_leaves_the_roster_alone(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, _bob = await signed_in(alpha, beta)
        alpha.host.federation = None
        await alice.send(f"<presence type='subscribe' to='{BOB}'/>")
        assert "remote-server-not-found" in alice.take()[0]
        assert not (await alpha.host.rosters.get(alice.session.account.id)).contacts
