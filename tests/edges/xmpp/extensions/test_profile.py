"""Cards, avatars and bookmarks, each in all of its forms (XEP-0054, 0153, 0398; 0048, 0402)."""

from __future__ import annotations

import base64
import hashlib

from ..harness import Client, Harness, parse

PNG = b"\x89PNG picture"
HASH = hashlib.sha1(PNG).hexdigest()
VAL = base64.b64encode(PNG).decode()
DONE = "<iq type='result' id='1' to='alice@example.org/phone'/>"
PHOTO = f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{VAL}</BINVAL></PHOTO>"
UPDATE = "<x xmlns='vcard-temp:x:update'>{0}</x>"


def vcard(content: str, to: str = "") -> str:
    return f"<iq type='set' id='1'{to}><vCard xmlns='vcard-temp'>{content}</vCard></iq>"


def get_vcard(to: str) -> str:
    return f"<iq type='get' id='1' to='{to}'><vCard xmlns='vcard-temp'/></iq>"


def publish(node: str, item_id: str, payload: str) -> str:
    return (
        "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<publish node='{node}'><item id='{item_id}'>{payload}</item></publish></pubsub></iq>"
    )


async def items(client: Client, node: str, to: str = "alice@example.org") -> dict[str, str]:
    """Payloads of a node's items, as text of their elements' tags, attributes and texts."""
    client.take()
    ask = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"
    await client.send(f"<iq type='get' id='i' to='{to}'>{ask}</iq>")
    (answer,) = client.take()
    tree = parse(answer)
    found = tree.iter("{http://jabber.org/protocol/pubsub}item")
    return {item.get("id"): _shown(item[0]) for item in found}


def _shown(element: object) -> str:
    tag = element.tag.rpartition("}")[2]  # type: ignore[attr-defined]
    attrs = "".join(f" {key}={value}" for key, value in sorted(element.attrib.items()))  # type: ignore[attr-defined]
    inside = "".join(_shown(child) for child in element) or (element.text or "")  # type: ignore[attr-defined]
    return f"[{tag}{attrs}:{inside}]"


async def error_of(client: Client, sent: str) -> str:
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


async def test_a_card_is_there_for_everybody() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone"), await host.connect("bob/desk")
        for asker, to in ((phone, "alice@example.org"), (desk, "alice@example.org"), (desk, "bob@example.org")):
            assert await error_of(asker, get_vcard(to)) == "item-not-found"
        await phone.ask(vcard("<FN>Alice &amp; Co</FN><N><GIVEN/></N>"), DONE)
        card = "<vCard xmlns='vcard-temp'><FN>Alice &amp; Co</FN><N><GIVEN/></N></vCard>"
        await desk.ask(
            get_vcard("alice@example.org"),
            f"<iq type='result' id='1' from='alice@example.org' to='bob@example.org/desk'>{card}</iq>",
        )
        assert await error_of(desk, vcard("<FN>x</FN>", " to='alice@example.org'")) == "forbidden"
        assert await error_of(desk, get_vcard("nobody@example.org")) == "service-unavailable"


async def test_a_picture_on_the_card_becomes_an_avatar() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        desk.session.notify_nodes = frozenset({"urn:xmpp:avatar:metadata"})
        desk.take()
        await phone.send(vcard(f"<FN>Alice</FN>{PHOTO}"))
        told = desk.take()
        assert [HASH in stanza for stanza in told] == [True, True]
        assert told[0].startswith("<message")
        assert parse(told[1]).tag.endswith("presence")
        assert await items(desk, "urn:xmpp:avatar:data") == {HASH: f"[data:{VAL}]"}
        info = f"[info bytes={len(PNG)} id={HASH} type=image/png:]"
        assert await items(desk, "urn:xmpp:avatar:metadata") == {HASH: f"[metadata:{info}]"}
        # Again is no news.
        await phone.send(vcard(f"<FN>Alice B</FN>{PHOTO}"))
        desk.expect()
        await phone.send(vcard("<FN>Alice</FN>"))
        assert list((await items(desk, "urn:xmpp:avatar:metadata")).values()) == ["[metadata:]"]


async def test_an_avatar_comes_onto_the_card() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(vcard("<FN>Alice</FN>"))
        metadata = "<metadata xmlns='urn:xmpp:avatar:metadata'>{0}</metadata>"
        info = f"<info bytes='1' id='{HASH}' type='image/png'/>"
        # Metadata whose data are not there, or are others, change nothing.
        await phone.send(publish("urn:xmpp:avatar:metadata", HASH, metadata.format(info)))
        await phone.send(publish("urn:xmpp:avatar:data", HASH, "<data xmlns='urn:xmpp:avatar:data'>aGVsbG8=</data>"))
        await phone.send(publish("urn:xmpp:avatar:metadata", HASH, metadata.format(info)))
        desk.take()
        await desk.send(get_vcard("alice@example.org"))
        assert "PHOTO" not in desk.take()[0]
        await phone.send(publish("urn:xmpp:avatar:data", HASH, f"<data xmlns='urn:xmpp:avatar:data'>\n{VAL}\n</data>"))
        elsewhere = "<info bytes='1' id='x' type='image/gif' url='https://x.example/'/>"
        await phone.send(publish("urn:xmpp:avatar:metadata", HASH, metadata.format(elsewhere + info)))
        desk.expect(
            "<presence from='alice@example.org/phone' to='bob@example.org'>"
            f"{UPDATE.format(f'<photo>{HASH}</photo>')}</presence>"
        )
        await desk.ask(
            get_vcard("alice@example.org"),
            "<iq type='result' id='1' from='alice@example.org' to='bob@example.org/desk'>"
            f"<vCard xmlns='vcard-temp'><FN>Alice</FN>{PHOTO}</vCard></iq>",
        )
        await phone.send(publish("urn:xmpp:avatar:metadata", "none", metadata.format("")))
        desk.take()
        await desk.send(get_vcard("alice@example.org"))
        assert "PHOTO" not in desk.take()[0]


async def test_presence_names_the_picture() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        await phone.send(vcard(PHOTO))
        desk.take()
        named, start = UPDATE.format(f"<photo>{HASH}</photo>"), "<presence from='alice@example.org/phone'"
        for content, seen in (
            ("", named),
            (UPDATE.format(""), named),
            (UPDATE.format("<photo/>"), UPDATE.format("<photo/>")),
            (UPDATE.format("<photo>own</photo>"), UPDATE.format("<photo>own</photo>")),
            ("<show>away</show>", f"<show>away</show>{named}"),
        ):
            await phone.send(f"<presence>{content}</presence>")
            desk.expect(f"{start} to='bob@example.org'>{seen}</presence>")
        await phone.send("<presence to='bob@example.org/desk'/>")
        desk.expect(f"{start} to='bob@example.org/desk'>{named}</presence>")
        await phone.send("<presence type='unavailable'/>")
        desk.expect(f"{start} to='bob@example.org' type='unavailable'/>")


async def test_without_a_picture_presence_stays_as_it_is() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        desk.take()
        await phone.send("<presence><show>away</show></presence>")
        desk.expect("<presence from='alice@example.org/phone' to='bob@example.org'><show>away</show></presence>")


STORAGE = "<storage xmlns='storage:bookmarks'>{0}</storage>"
ROOM = "<conference jid='{0}' name='{1}' autojoin='{2}'><nick>Al</nick></conference>"


def private(kind: str, content: str) -> str:
    return f"<iq type='{kind}' id='1'><query xmlns='jabber:iq:private'>{STORAGE.format(content)}</query></iq>"


def stored(content: str) -> str:
    return (
        "<iq type='result' id='1' to='alice@example.org/phone'>"
        f"<query xmlns='jabber:iq:private'>{STORAGE.format(content)}</query></iq>"
    )


async def test_old_bookmarks_become_items() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone", presence="")
        await phone.ask(private("get", ""), stored(""))
        rooms = ROOM.format("a@rooms.example", "A &amp; B", "true") + ROOM.format("b@rooms.example", "B", "false")
        await phone.ask(private("set", rooms + "<conference jid='@'/>"), DONE)
        assert await items(phone, "urn:xmpp:bookmarks:1") == {
            "a@rooms.example": "[conference autojoin=true name=A & B:[nick:Al]]",
            "b@rooms.example": "[conference name=B:[nick:Al]]",
        }
        await phone.ask(private("get", ""), stored(rooms))
        phone.session.notify_nodes = frozenset({"urn:xmpp:bookmarks:1"})
        changed = ROOM.format("a@rooms.example", "A &amp; B", "true") + ROOM.format("c@rooms.example", "C", "0")
        phone.take()
        await phone.send(private("set", changed))
        told = [stanza for stanza in phone.take() if stanza.startswith("<message")]
        assert len(told) == 2
        assert "retract" in told[0]
        assert "b@rooms.example" in told[0]
        assert "c@rooms.example" in told[1]


async def test_new_bookmarks_show_in_the_old_places() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone", presence="")
        conference = (
            "<conference xmlns='urn:xmpp:bookmarks:1' name='A' autojoin='1'><nick>Al</nick>"
            "<extensions><e xmlns='urn:e'/></extensions></conference>"
        )
        await phone.send(publish("urn:xmpp:bookmarks:1", "a@rooms.example", conference))
        room = ROOM.format("a@rooms.example", "A", "true")
        await phone.ask(private("get", ""), stored(room))
        shown = "[storage:[conference autojoin=true jid=a@rooms.example name=A:[nick:Al]]]"
        assert await items(phone, "storage:bookmarks") == {"current": shown}
        # What old clients do not know stays.
        await phone.send(private("set", ROOM.format("a@rooms.example", "Other", "true")))
        (payload,) = (await items(phone, "urn:xmpp:bookmarks:1")).values()
        assert payload == "[conference autojoin=true name=Other:[nick:Al][extensions:[e:]]]"
        retract = "<retract node='urn:xmpp:bookmarks:1'><item id='a@rooms.example'/></retract>"
        await phone.send(
            f"<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{retract}</pubsub></iq>"
        )
        assert await items(phone, "storage:bookmarks") == {"current": "[storage:]"}


async def test_the_old_node_is_heard_too() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone", presence="")
        await phone.send(
            publish("storage:bookmarks", "current", STORAGE.format(ROOM.format("a@rooms.example", "A", "1")))
        )
        assert list(await items(phone, "urn:xmpp:bookmarks:1")) == ["a@rooms.example"]


def vcard4(kind: str, content: str = "", to: str = "alice@example.org") -> str:
    return f"<iq type='{kind}' id='1' to='{to}'><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{content}</vcard></iq>"


def answered(content: str, to: str) -> str:
    return vcard4("result", content, address_of(to)).replace("<iq ", "<iq from='alice@example.org' ")


def address_of(name: str) -> str:
    return f"{name.partition('/')[0]}@example.org/{name.partition('/')[2]}"


async def test_a_card_in_the_newer_form() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        desk.session.notify_nodes = frozenset({"urn:xmpp:vcard4"})
        await desk.ask(vcard4("get"), answered("", "bob/desk"))
        await phone.send(vcard("<FN>Alice</FN><EMAIL><USERID>a@x</USERID></EMAIL><TEL><NUMBER/></TEL>"))
        old = "<fn><text>Alice</text></fn><email><text>a@x</text></email>"
        await desk.ask(vcard4("get"), answered(old, "bob/desk"))
        new = "<fn><text>Alice in person</text></fn>"
        await phone.send(vcard4("set", new))
        (told,) = desk.take()
        assert "urn:xmpp:vcard4" in told
        await desk.ask(vcard4("get"), answered(new, "bob/desk"))
        await phone.ask(vcard4("get"), answered(new, "alice/phone"))
        assert await items(desk, "urn:xmpp:vcard4") == {"current": "[vcard:[fn:[text:Alice in person]]]"}
        assert await error_of(desk, vcard4("set", new)) == "forbidden"


async def test_the_newer_card_is_for_whom_the_node_is() -> None:
    async with Harness() as host:
        await host.add("alice", "carol")
        phone, desk = await host.connect("alice/phone"), await host.connect("carol/desk")
        await phone.send(vcard4("set", "<fn><text>Alice</text></fn>"))
        assert await error_of(desk, vcard4("get")) == "not-authorized"
