"""XEP-0115: the server's own capabilities, and what is learned of clients."""

from __future__ import annotations

from parley.edges.xmpp.extensions.xep_0115_caps import EXTENSION
from parley.protocols.xmpp.caps import (
    Caps,
    DiscoInfo,
    Identity,
    parse_caps,
    parse_disco_info,
    verification_string,
    verify,
)

from ..harness import Client, Harness, parse

CLIENT = DiscoInfo((Identity("client", "phone"),), ("urn:xmpp:tune+notify", "urn:xmpp:ping"))
CAPS = Caps("sha-1", "https://client.example", verification_string(CLIENT))


async def question(client: Client) -> tuple[str, str]:
    """Id and node of the only thing that the client was asked."""
    asked = [parse(stanza) for stanza in client.take() if "disco#info" in stanza]
    assert len(asked) == 1
    assert (asked[0].get("type"), asked[0].get("from")) == ("get", "alice@example.org")
    return asked[0].get("id"), asked[0][0].get("node")


def answer(question_id: str, info: DiscoInfo, node: str) -> str:
    return f"<iq type='result' id='{question_id}' to='alice@example.org'>{info.to_bytes(node).decode()}</iq>"


def presence(caps: Caps) -> str:
    return f"<presence>{caps.to_bytes().decode()}</presence>"


async def test_the_server_tells_its_own_in_the_stream_features() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        assert EXTENSION.stream_features is not None
        assert EXTENSION.stream_features(host.host, False) == b""
        caps = parse_caps(parse(EXTENSION.stream_features(host.host, True).decode()))
        await phone.send(
            "<iq type='get' id='1' to='example.org'>"
            f"<query xmlns='http://jabber.org/protocol/disco#info' node='{caps.node}#{caps.ver}'/></iq>"
        )
        (reply,) = phone.take()
        query = parse(reply)[0]
        assert query.get("node") == f"{caps.node}#{caps.ver}"
        assert verify(parse_disco_info(query), caps)


async def test_who_is_not_known_is_asked_once() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone, tablet = await host.connect("alice/phone"), await host.connect("alice/tablet")
        await phone.send(presence(CAPS))
        question_id, node = await question(phone)
        assert node == f"https://client.example#{CAPS.ver}"
        assert phone.session.notify_nodes == frozenset()
        await phone.send(answer(question_id, CLIENT, node))
        assert phone.session.notify_nodes == {"urn:xmpp:tune"}
        # Another client of the same make is known by its hash.
        await tablet.send(presence(CAPS))
        assert not any("disco#info" in stanza for stanza in tablet.take())
        assert tablet.session.notify_nodes == {"urn:xmpp:tune"}
        # Gone and back without telling again, it is not remembered.
        await tablet.send("<presence type='unavailable'/>", "<presence/>")
        assert tablet.session.notify_nodes == frozenset()


async def test_a_liar_speaks_for_itself_only() -> None:
    lie = DiscoInfo(CLIENT.identities, ("urn:xmpp:mood+notify",))
    async with Harness() as host:
        await host.add("alice")
        phone, tablet = await host.connect("alice/phone"), await host.connect("alice/tablet")
        await phone.send(presence(CAPS))
        question_id, node = await question(phone)
        await phone.send(answer(question_id, lie, node))
        assert phone.session.notify_nodes == {"urn:xmpp:mood"}
        await tablet.send(presence(CAPS))
        await question(tablet)


async def test_only_the_latest_announcement_counts() -> None:
    second = DiscoInfo(CLIENT.identities, ("urn:xmpp:mood+notify",))
    second_caps = Caps("sha-1", "https://client.example", verification_string(second))
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(presence(CAPS), presence(second_caps))
        question_id, node = await question(phone)
        await phone.send(answer(question_id, CLIENT, node))
        assert phone.session.notify_nodes == frozenset()
        question_id, node = await question(phone)
        await phone.send(answer(question_id, second, node))
        assert phone.session.notify_nodes == {"urn:xmpp:mood"}


async def test_refused_and_malformed() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(presence(CAPS))
        question_id, _ = await question(phone)
        await phone.send(f"<iq type='error' id='{question_id}' to='alice@example.org'><error type='cancel'/></iq>")
        assert phone.session.notify_nodes == frozenset()
        await phone.ask(
            "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1'/></presence>",
            "<presence from='alice@example.org/phone' to='alice@example.org'>"
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1'/></presence>",
        )
