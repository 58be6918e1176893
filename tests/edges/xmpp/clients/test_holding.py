"""What waits for an inactive client."""

from __future__ import annotations

import pytest

from parley.edges.xmpp.clients.holding import Held

PRESENCE = "<presence from='bob@x/{0}' to='alice@x/p'{1}/>"
EVENT = (
    "<message from='bob@x' to='alice@x/p' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
    "<items node='{0}'><item id='{1}'><a xmlns='urn:a'>{2}</a></item></items></event></message>"
)
STATE = "<{0} xmlns='http://jabber.org/protocol/chatstates'/>"
CARBON = (
    "<message from='alice@x' to='alice@x/p' type='chat'><{0} xmlns='urn:xmpp:carbons:2'><forwarded"
    " xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bob@x/d' to='alice@x/q' type='chat'>{1}</message>"
    "</forwarded></{0}></message>"
)


def held(max_stanzas: int = 100, max_bytes: int = 100_000) -> Held:
    return Held(max_stanzas, max_bytes)


def chat(content: str, sender: str = "bob@x/d") -> str:
    return f"<message from='{sender}' to='alice@x/p' type='chat'>{content}</message>"


@pytest.mark.parametrize(
    "stanza",
    [
        PRESENCE.format("d", ""),
        PRESENCE.format("d", " type='unavailable'"),
        "<presence from='room@x/n'><x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/></x></presence>",
        chat(STATE.format("composing")),
        chat(STATE.format("paused") + "<thread>t</thread><no-store xmlns='urn:xmpp:hints'/>"),
        CARBON.format("received", STATE.format("composing")),
        CARBON.format("sent", STATE.format("composing")),
        EVENT.format("urn:n", "1", ""),
    ],
)
def test_what_may_wait(stanza: str) -> None:
    waiting = held()
    assert waiting.keep(stanza.encode())
    assert waiting.release() == [stanza.encode()]
    assert waiting.release() == []


@pytest.mark.parametrize(
    "stanza",
    [
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<presence from='bob@x' type='subscribe'/>",
        "<presence from='room@x/nick' type='error'/>",
        "<presence from='room@x/me'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
        "<presence from='room@x/me' type='unavailable'>"
        "<x xmlns='http://jabber.org/protocol/muc#user'><destroy/></x></presence>",
        chat("<body>hello</body>"),
        chat("<body>hello</body>" + STATE.format("active")),
        chat("<received xmlns='urn:xmpp:receipts' id='1'/>"),
        chat("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>" + STATE.format("active")),
        chat("<encrypted xmlns='eu.siacs.conversations.axolotl'/>" + STATE.format("active")),
        chat(""),
        CARBON.format("received", "<body>hello</body>"),
        "<message from='pubsub.x' to='alice@x/p'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
        "<items node='n'><item id='1'/></items></event></message>",
        "<message from='bob@x' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
        "<purge node='n'/></event></message>",
        "<message from='bob@x' type='headline'><body>news</body></message>",
    ],
)
def test_what_may_not(stanza: str) -> None:
    waiting = held()
    assert not waiting.keep(stanza.encode())
    assert waiting.release() == []


def test_the_last_word_is_kept_at_its_place() -> None:
    stanzas = [
        PRESENCE.format("d", ""),
        PRESENCE.format("e", ""),
        chat(STATE.format("composing")),
        EVENT.format("urn:n", "1", "old"),
        EVENT.format("urn:n", "2", ""),
        EVENT.format("urn:m", "1", ""),
        EVENT.format("urn:n", "1", "new"),
        chat(STATE.format("paused")),
        PRESENCE.format("d", " type='unavailable'"),
    ]
    waiting = held()
    for stanza in stanzas:
        assert waiting.keep(stanza.encode())
    kept = [stanzas[1], *stanzas[4:]]
    assert waiting.release() == [stanza.encode() for stanza in kept]


def test_states_of_other_chats_and_copies_do_not_supersede_each_other() -> None:
    waiting = held()
    for stanza in (
        chat(STATE.format("composing")),
        chat(STATE.format("composing"), "carol@x/d"),
        CARBON.format("received", STATE.format("composing")),
        CARBON.format("sent", STATE.format("composing")),
    ):
        assert waiting.keep(stanza.encode())
    assert len(waiting.release()) == 4


def test_it_is_full_by_number_and_by_size() -> None:
    waiting = held(max_stanzas=1)
    waiting.keep(PRESENCE.format("d", "").encode())
    waiting.keep(PRESENCE.format("d", "").encode())
    assert not waiting.is_full
    waiting.keep(PRESENCE.format("e", "").encode())
    assert waiting.is_full
    assert len(waiting.release()) == 2
    assert not waiting.is_full
    waiting = held(max_bytes=1000)
    for _ in range(3):
        waiting.keep(EVENT.format("urn:n", "1", "x" * 600).encode())
    assert not waiting.is_full
    waiting.keep(EVENT.format("urn:n", "2", "x" * 600).encode())
    assert waiting.is_full
