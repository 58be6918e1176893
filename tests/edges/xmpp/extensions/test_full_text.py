"""XEP-0431: words in the archive."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings
from parley.edges.xmpp.delivery.archives import text_of

from ..harness import Client, Harness, parse

FIELD = "{urn:xmpp:fulltext:0}fulltext"
OMEMO = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>rain</payload></encrypted>"


def query(words: str) -> str:
    return (
        "<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
        f"<field var='{FIELD}'><value>{words}</value></field></x></query></iq>"
    )


async def find(client: Client, words: str) -> tuple[list[str], str]:
    """The ids of the messages with the words, and whether they are stable."""
    client.take()
    await client.send(query(words))
    *found, end = [parse(stanza) for stanza in client.take()]
    return [m.find(".//{jabber:client}message").get("id") for m in found], end[0].get("stable", "true")


def chat(id_: str, content: str) -> str:
    return f"<message type='chat' id='{id_}' to='bob@example.org'>{content}</message>"


async def test_words_are_found_and_what_is_sealed_is_not() -> None:
    async with Harness(archive=ArchiveSettings(full_text=True)) as host:
        await host.add("alice", "bob", "carol")
        phone, carol = await host.connect("alice/phone"), await host.connect("carol/desk")
        await phone.send(
            chat("m1", "<body>Rain in Zürich</body>"),
            chat("m2", f"{OMEMO}<body>rain is what this says</body>"),
            chat("m3", '<body>no weather &amp; no "rain"</body><thread>rain</thread>'),
        )
        assert await find(phone, "rain") == ([], "false")
        await host.storage.text_index.follow(text_of)
        assert await find(phone, "RAIN") == (["m1", "m3"], "true")
        assert await find(phone, "zurich rain") == (["m1"], "true")
        assert await find(phone, "rainy") == ([], "true")
        assert await find(carol, "rain") == ([], "true")
        # An empty field asks for nothing.
        assert (await find(phone, ""))[0] == ["m1", "m2", "m3"]


@pytest.mark.parametrize("full_text", [False, True])
async def test_it_is_announced_where_it_is(full_text: bool) -> None:
    async with Harness(archive=ArchiveSettings(full_text=full_text)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        await phone.send(f"<iq type='get' id='1' to='alice@example.org'>{info}</iq>")
        await phone.send("<iq type='get' id='2'><query xmlns='urn:xmpp:mam:2'/></iq>")
        features, form = phone.take()
        assert ("urn:xmpp:fulltext:0" in features, FIELD in form) == (full_text, full_text)
        await phone.send(query("rain"))
        (answer,) = phone.take()
        assert ("feature-not-implemented" in answer) != full_text


@pytest.mark.parametrize(
    ("stanza", "text"),
    [
        (b"<message><body>one</body><body xml:lang='de'>eins</body></message>", "one\neins"),
        (b"<message><body/><subject>two</subject></message>", ""),
        (b"<message><x xmlns='y'><body>three</body></x></message>", ""),
        (b"no stanza", ""),
    ],
)
def test_the_words_of_a_stanza(stanza: bytes, text: str) -> None:
    assert text_of(stanza) == text
