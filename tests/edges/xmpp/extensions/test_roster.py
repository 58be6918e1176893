"""RFC 6121 §2: fetching, changing, versions."""

from __future__ import annotations

import pytest

from parley.base.config import LimitSettings

from ..harness import Client, Harness


def error(condition: str, kind: str, code: str, text: str = "*") -> str:
    words = f"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>{text}</text>" if text else ""
    return (
        "<iq type='error' id='1' from='alice@example.org' to='alice@example.org/phone'>"
        f"<error type='{kind}' code='{code}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{words}</error>"
        "</iq>"
    )


def roster_set(item: str) -> str:
    return f"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"


def push(to: str, ver: int, item: str) -> str:
    return (
        f"<iq type='set' id='*' to='alice@example.org/{to}'>"
        f"<query xmlns='jabber:iq:roster' ver='{ver}'>{item}</query></iq>"
    )


def result(to: str, content: str = "") -> str:
    return f"<iq type='result' id='1' to='alice@example.org/{to}'>{content}</iq>"


async def fetch(client: Client, *expected: str, ver: str | None = None) -> None:
    attribute = "" if ver is None else f" ver='{ver}'"
    await client.ask(f"<iq type='get' id='1'><query xmlns='jabber:iq:roster'{attribute}/></iq>", *expected)


async def test_a_change_reaches_who_asked_for_the_roster() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone, laptop = await host.connect("alice/phone"), await host.connect("alice/laptop")
        await fetch(phone, result("phone", "<query xmlns='jabber:iq:roster' ver='0'/>"))
        item = "<item jid='bob@example.org' name='Bob' subscription='none'><group>Friends</group></item>"
        await phone.ask(
            roster_set("<item jid='bob@example.org' name='Bob'><group>Friends</group></item>"),
            push("phone", 1, item),
            result("phone"),
        )
        laptop.expect()
        await fetch(laptop, result("laptop", f"<query xmlns='jabber:iq:roster' ver='1'>{item}</query>"))


async def test_versions_bring_only_what_changed() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        for name in ("bob", "carol", "dave"):
            await phone.send(roster_set(f"<item jid='{name}@example.org'/>"))
        await phone.send(roster_set("<item jid='carol@example.org' subscription='remove'/>"))
        await fetch(phone, result("phone"), ver="4")
        await fetch(
            phone,
            result("phone"),
            push("phone", 3, "<item jid='dave@example.org' subscription='none'/>"),
            push("phone", 4, "<item jid='carol@example.org' subscription='remove'/>"),
            ver="2",
        )
        full = (
            "<query xmlns='jabber:iq:roster' ver='4'><item jid='bob@example.org' subscription='none'/>"
            "<item jid='dave@example.org' subscription='none'/></query>"
        )
        for ver in ("", "five", "99", None):
            await fetch(phone, result("phone", full), ver=ver)


async def test_of_requests_that_wait_no_roster_says_anything() -> None:
    async with Harness() as host:
        await host.add("alice", "bob", "carol")
        phone = await host.connect("alice/phone")
        await phone.send(roster_set("<item jid='carol@example.org'/>"))
        await fetch(
            phone,
            result(
                "phone",
                "<query xmlns='jabber:iq:roster' ver='1'><item jid='carol@example.org' subscription='none'/></query>",
            ),
        )
        for name in ("bob", "carol"):
            other = await host.connect(f"{name}/desk", presence="")
            await other.send("<presence to='alice@example.org' type='subscribe'/>")
        phone.expect()
        await phone.send("<presence to='bob@example.org' type='unsubscribed'/>")
        assert [line for line in phone.take() if line.startswith("<iq")] == []
        await fetch(
            phone,
            result("phone"),
            push("phone", 3, "<item jid='carol@example.org' subscription='none'/>"),
            ver="1",
        )


async def test_removal_ends_the_subscriptions() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone = await host.connect("alice/phone", presence="")
        bob = await host.connect("bob/desk", presence="")
        await fetch(
            phone,
            result(
                "phone",
                "<query xmlns='jabber:iq:roster' ver='1'><item jid='bob@example.org' subscription='both'/></query>",
            ),
        )
        # RFC 6121 §3.2.3, §3.3.3: only interested resources are told.
        tablet = await host.connect("bob/tablet", presence="")
        await bob.send("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
        bob.take(), tablet.take(), phone.take()
        await phone.send(roster_set("<item jid='bob@example.org' subscription='remove'/>"))
        tablet.expect("<presence from='alice@example.org/phone' to='bob@example.org' type='unavailable'/>")
        phone.expect(
            push("phone", 2, "<item jid='bob@example.org' subscription='remove'/>"),
            "<presence from='bob@example.org/desk' to='alice@example.org' type='unavailable'/>",
            "<presence from='bob@example.org/tablet' to='alice@example.org' type='unavailable'/>",
            result("phone"),
        )
        bob.expect(
            # RFC 6121 §3.2.2: everybody is gone before the subscription is.
            "<presence from='alice@example.org/phone' to='bob@example.org' type='unavailable'/>",
            "<presence from='alice@example.org' to='bob@example.org' type='unsubscribe'/>",
            "<presence from='alice@example.org' to='bob@example.org' type='unsubscribed'/>",
            "<iq type='set' id='*' to='bob@example.org/desk'><query xmlns='jabber:iq:roster' ver='2'>"
            "<item jid='alice@example.org' subscription='none'/></query></iq>",
        )
        await bob.ask(
            "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
            "<iq type='result' id='1' to='bob@example.org/desk'><query xmlns='jabber:iq:roster' ver='2'>"
            "<item jid='alice@example.org' subscription='none'/></query></iq>",
        )


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ("", error("bad-request", "modify", "400")),
        ("<item jid='a@example.org'/><item jid='b@example.org'/>", error("bad-request", "modify", "400")),
        ("<item jid='a@b@c'/>", error("jid-malformed", "modify", "400")),
        ("<item/>", error("bad-request", "modify", "400")),
        ("<item jid='a@example.org'><group/></item>", error("not-acceptable", "modify", "406")),
        (f"<item jid='a@example.org' name='{'x' * 1024}'/>", error("not-acceptable", "modify", "406")),
        (f"<item jid='a@example.org'><group>{'x' * 1024}</group></item>", error("not-acceptable", "modify", "406")),
        ("<item jid='a@example.org'><group>A</group><group>A</group></item>", error("bad-request", "modify", "400")),
        ("<item jid='alice@example.org'/>", error("not-allowed", "cancel", "405")),
        ("<item jid='a@example.org' subscription='remove'/>", error("item-not-found", "cancel", "404", "")),
    ],
)
async def test_bad_items(item: str, answer: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        stanza = roster_set(item).replace("id='1'", "id='1' to='alice@example.org'")
        await phone.ask(stanza, answer)
        await fetch(phone, result("phone", "<query xmlns='jabber:iq:roster' ver='0'/>"))


async def test_a_client_sets_neither_subscription_nor_approval() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(
            roster_set("<item jid='bob@example.org' subscription='both' ask='subscribe' approved='true'/>")
        )
        item = "<item jid='bob@example.org' subscription='none'/>"
        await fetch(phone, result("phone", f"<query xmlns='jabber:iq:roster' ver='1'>{item}</query>"))


async def test_a_full_roster() -> None:
    async with Harness(limits=LimitSettings(max_roster_items=1)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(roster_set("<item jid='bob@example.org'/>"))
        await phone.ask(
            roster_set("<item jid='carol@example.org'/>"),
            error("resource-constraint", "wait", "500"),
        )


async def test_nobody_reads_or_changes_the_roster_of_another() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        for kind, error in (
            ("get", "<error type='cancel' code='503'><service-unavailable {}/></error>"),
            # §2.1.5: MUST be this one.
            ("set", "<error type='auth' code='403'><forbidden {}/></error>"),
        ):
            await phone.ask(
                f"<iq type='{kind}' id='1' to='bob@example.org'><query xmlns='jabber:iq:roster'>"
                "<item jid='eve@example.org'/></query></iq>",
                "<iq type='error' id='1' from='bob@example.org' to='alice@example.org/phone'>"
                + error.format("xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'")
                + "</iq>",
            )


async def test_a_set_that_changes_nothing_is_pushed() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await fetch(phone, result("phone", "<query xmlns='jabber:iq:roster' ver='0'/>"))
        item = "<item jid='bob@example.org' name='Bob' subscription='none'/>"
        for _ in range(2):
            # §2.4.2: the push is what tells that it was processed.
            await phone.send(roster_set("<item jid='bob@example.org' name='Bob'/>"))
            phone.expect(push("phone", 1, item), result("phone"))
