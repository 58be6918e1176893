"""XEP-0191 and XEP-0377: blocked in both directions, whatever kind of stanza it is."""

from __future__ import annotations

import pytest

from parley.base.config import PersonalSettings
from parley.domain.people.blocking import Complaint

from ..harness import Client, Harness, parse

BLOCKED = (
    "<error type='cancel' code='406'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    "<blocked xmlns='urn:xmpp:blocking:errors'/></error>"
)
NOBODY = "<error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
DONE = "<iq type='result' id='1' to='alice@example.org/phone'/>"
PING = "<iq type='get' id='2' to='{0}'><ping xmlns='urn:xmpp:ping'/></iq>"


def block(*addresses: str, content: str = "") -> str:
    items = "".join(f"<item jid='{address}'>{content}</item>" for address in addresses)
    return f"<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'>{items}</block></iq>"


def unblock(*addresses: str) -> str:
    items = "".join(f"<item jid='{address}'/>" for address in addresses)
    return f"<iq type='set' id='1'><unblock xmlns='urn:xmpp:blocking'>{items}</unblock></iq>"


async def blocklist(client: Client) -> list[str]:
    client.take()
    await client.send("<iq type='get' id='1'><blocklist xmlns='urn:xmpp:blocking'/></iq>")
    (answer,) = client.take()
    return [item.get("jid") for item in parse(answer)[0]]


async def refused(client: Client, sent: str) -> str:
    client.take()
    await client.send(sent)
    (answer,) = client.take()
    return parse(answer).find("{jabber:client}error")[0].tag.partition("}")[2]


async def friends(host: Harness) -> tuple[Client, Client]:
    await host.add("alice", "bob")
    await host.befriend("alice", "bob")
    phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk", presence="")
    phone.take()
    return phone, desk


async def test_the_list() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone, tablet = await host.connect("alice/phone"), await host.connect("alice/tablet")
        quiet = await host.connect("alice/quiet")
        assert await blocklist(phone) == await blocklist(tablet) == []
        push = "<iq type='set' id='*' to='alice@example.org/{0}'><block xmlns='urn:xmpp:blocking'>{1}</block></iq>"
        items = "<item jid='romeo@montague.net'/><item jid='spam.example'/>"
        await phone.ask(block("Romeo@Montague.net", "spam.example"), DONE, push.format("phone", items))
        tablet.expect(push.format("tablet", items))
        assert await blocklist(phone) == ["romeo@montague.net", "spam.example"]
        push = push.replace("block xmlns", "unblock xmlns").replace("</block>", "</unblock>")
        await phone.ask(unblock("romeo@montague.net"), DONE, push.format("phone", "<item jid='romeo@montague.net'/>"))
        assert await blocklist(phone) == ["spam.example"]
        tablet.take()
        await phone.ask(unblock(), DONE, push.format("phone", ""))
        tablet.expect(push.format("tablet", ""))
        assert await blocklist(phone) == []
        quiet.expect()


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (block(), "bad-request"),
        (block("a@x", ""), "bad-request"),
        (block("@"), "jid-malformed"),
        (unblock("@"), "jid-malformed"),
    ],
)
async def test_what_cannot_be_blocked(sent: str, condition: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        assert await refused(phone, sent) == condition
        assert await blocklist(phone) == []


async def test_nobody_blocks_without_end() -> None:
    async with Harness(personal=PersonalSettings(max_blocked=1)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        assert await refused(phone, block("a@x", "b@x")) == "resource-constraint"
        await phone.ask(block("a@x"), DONE)


async def test_to_who_is_blocked_the_account_is_gone_and_comes_back() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.ask(block("bob@example.org"), DONE)
        desk.expect("<presence from='alice@example.org/phone' to='bob@example.org' type='unavailable'/>")
        await phone.ask(block("bob@example.org"), DONE)
        desk.expect()
        await phone.ask(
            unblock("bob@example.org"),
            DONE,
            "<presence from='bob@example.org/desk' to='alice@example.org/phone'/>",
        )
        desk.expect("<presence from='alice@example.org/phone' to='bob@example.org'/>")


async def test_a_stranger_who_is_blocked_is_told_nothing() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk", presence="")
        await phone.ask(block("bob@example.org"), DONE)
        await phone.ask(unblock("bob@example.org"), DONE)
        desk.expect()


@pytest.mark.parametrize("entry", ["bob@example.org", "bob@example.org/desk"])
async def test_nothing_goes_out(entry: str) -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(block(entry))
        desk.take()
        to, attrs = "bob@example.org/desk", "type='error' id='2' from='bob@example.org/desk'"
        end = f" to='alice@example.org/phone'>{BLOCKED}"
        await phone.ask(
            f"<message type='chat' id='2' to='{to}'><body>1</body></message>", f"<message {attrs}{end}</message>"
        )
        await phone.ask(PING.format(to), f"<iq {attrs}{end}</iq>")
        await phone.ask(f"<presence id='2' to='{to}'/>", f"<presence {attrs}{end}</presence>")
        await phone.ask(f"<iq type='result' id='2' to='{to}'/>")
        await phone.send("<presence><show>away</show></presence>")
        desk.expect()


async def test_subscriptions_do_not_go_out() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone", presence="")
        await phone.send(block("bob@example.org"))
        for kind in ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"):
            assert await refused(phone, f"<presence id='2' type='{kind}' to='bob@example.org'/>") == "not-acceptable"


@pytest.mark.parametrize("entry", ["bob@example.org", "bob@example.org/desk"])
async def test_nothing_comes_in(entry: str) -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(block(entry))
        phone.take(), desk.take()
        for to in ("alice@example.org", "alice@example.org/phone"):
            end = f"type='error' id='2' from='{to}' to='bob@example.org/desk'>{NOBODY}"
            await desk.ask(
                f"<message type='chat' id='2' to='{to}'><body>1</body></message>", f"<message {end}</message>"
            )
            await desk.ask(PING.format(to), f"<iq {end}</iq>")
            for silent in ("presence", "message type='error'", "iq type='result'", "iq type='error'"):
                name = silent.partition(" ")[0]
                await desk.ask(f"<{silent} id='2' to='{to}'></{name}>")
            await desk.ask(f"<presence type='probe' to='{to}'/>")
        await desk.available("<show>away</show>")
        phone.expect()
        assert await host.storage.messages.pending(desk.session.account.id, 0, 10) == []


async def test_a_request_of_somebody_blocked_is_forgotten() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk", presence="")
        await phone.send(block("bob@example.org"))
        await desk.ask("<presence type='subscribe' to='alice@example.org'/>")
        await phone.send(unblock("bob@example.org"))
        phone.take()
        again = await host.connect("alice/again")
        await again.send("<presence/>")
        assert not any("subscribe" in stanza for stanza in [*phone.take(), *again.take()])


async def test_what_waits_for_an_absent_person_is_not_theirs_when_they_block() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send("<presence type='unavailable'/>")
        await desk.send("<message type='chat' to='alice@example.org'><body>1</body></message>")
        phone.take()
        await phone.send(block("bob@example.org"))
        phone.take()
        await phone.ask("<presence/>", "<presence from='alice@example.org/phone' to='alice@example.org'/>")
        await phone.send(unblock("bob@example.org"))
        other = await host.connect("alice/other", presence="")
        assert not any("<body>" in stanza for stanza in other.take())


async def test_a_whole_domain() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(block("example.org"))
        desk.take()
        assert await refused(phone, PING.format("bob@example.org")) == "not-acceptable"
        assert await refused(desk, PING.format("alice@example.org")) == "service-unavailable"
        # Their own server and account stay theirs.
        await phone.ask(PING.format("example.org"), "<iq type='result' id='2' from='*' to='alice@example.org/phone'/>")
        tablet = await host.connect("alice/tablet", presence="")
        await tablet.send("<message type='chat' to='alice@example.org/phone'><body>1</body></message>")
        assert any("<body>1</body>" in stanza for stanza in phone.take())
        await phone.send(unblock("example.org"))
        assert await blocklist(phone) == []


async def test_no_events_either_way() -> None:
    publish = (
        "<iq type='set' id='9'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:n'>"
        "<item id='{0}'><a xmlns='urn:a'/></item></publish></pubsub></iq>"
    )
    async with Harness() as host:
        phone, desk = await friends(host)
        phone.session.notify_nodes = desk.session.notify_nodes = frozenset({"urn:n"})
        await phone.send(publish.format("before"))
        assert any("urn:n" in stanza for stanza in desk.take())
        await phone.send(block("bob@example.org"))
        phone.take(), desk.take()
        await phone.send(publish.format("1"))
        desk.expect()
        phone.take()
        await desk.send(publish.format("2"))
        phone.expect()


async def test_a_directed_presence_is_taken_back() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk", presence="")
        await phone.send("<presence to='bob@example.org/desk'/>")
        desk.take()
        await phone.send(block("bob@example.org"))
        desk.expect("<presence from='alice@example.org/phone' to='bob@example.org/desk' type='unavailable'/>")
        await phone.send("<presence type='unavailable'/>")
        desk.expect()


async def test_the_list_outlives_sessions() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(block("bob@example.org"))
        phone.session.end()
        await host.settle()
        host.host.blocking.forget(phone.session.account.id)
        assert await refused(desk, "<message id='2' to='alice@example.org'><body>1</body></message>") == (
            "service-unavailable"
        )
        again = await host.connect("alice/again", presence="")
        again.expect()
        assert await refused(again, PING.format("bob@example.org")) == "not-acceptable"


async def test_reports_are_kept() -> None:
    report = (
        "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>"
        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='28482'/>"
        "<text xml:lang='en'> Never came trouble to my house like this. </text><report-origin/></report>"
    )
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(block("romeo@montague.net", content=report), DONE)
        await phone.ask(block("a@x", content="<report xmlns='urn:xmpp:reporting:1'/>"), DONE)
        (kept,) = await host.storage.blocks.reports(10)
        assert kept.reporter == "alice@example.org"
        assert kept.complaint == Complaint(
            "romeo@montague.net",
            "urn:xmpp:reporting:spam",
            "Never came trouble to my house like this.",
            ("28482",),
            may_tell_origin=True,
        )
        assert await blocklist(phone) == ["romeo@montague.net", "a@x"]
