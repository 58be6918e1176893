from __future__ import annotations

import hashlib

import pytest

from parley.protocols.xmpp.components import (
    ComponentStream,
    Established,
    Event,
    Refused,
    StanzaReceived,
    StreamEnded,
    digest,
)
from parley.protocols.xmpp.errors import StreamCondition
from parley.protocols.xmpp.framing import FramingLimits

HEADER = (
    b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    b" to='Bridge.example.org'>"
)
SECRET = "s3cret"
STREAM_ID = "3BF96D32"


def stream(*, is_free: bool = True) -> ComponentStream:
    return ComponentStream({"bridge.example.org": SECRET}, STREAM_ID, FramingLimits(), lambda _domain: is_free)


def handshake(secret: str = SECRET) -> bytes:
    return b"<handshake>" + digest(STREAM_ID, secret).encode() + b"</handshake>"


def established() -> ComponentStream:
    opened = stream()
    assert opened.receive(HEADER + handshake()) == [Established("bridge.example.org")]
    opened.output()
    return opened


def stanza(events: list[Event]) -> StanzaReceived:
    (event,) = events
    assert isinstance(event, StanzaReceived)
    return event


def ended(events: list[Event]) -> StreamCondition | None:
    assert isinstance(events[-1], StreamEnded)
    return events[-1].condition


def test_the_handshake_is_the_sha1_of_stream_id_and_secret() -> None:
    assert digest(STREAM_ID, SECRET) == hashlib.sha1(b"3BF96D32s3cret").hexdigest()
    opened = stream()
    assert opened.receive(HEADER) == []
    (header,) = opened.output()
    assert b"xmlns='jabber:component:accept'" in header
    assert b'from="bridge.example.org" id="3BF96D32"' in header
    assert opened.receive(handshake()) == [Established("bridge.example.org")]
    assert opened.output() == [b"<handshake/>"]


def test_stanzas_may_follow_the_handshake_at_once() -> None:
    events = stream().receive(HEADER + handshake() + b"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert [type(event) for event in events] == [Established, StanzaReceived]


def test_capital_letters_in_the_digest_are_taken() -> None:
    upper = b"<handshake>" + digest(STREAM_ID, SECRET).upper().encode() + b"</handshake>"
    assert stream().receive(HEADER + upper) == [Established("bridge.example.org")]


@pytest.mark.parametrize("given", [handshake("wrong"), b"<handshake/>", "<handshake>é</handshake>".encode()])
def test_a_wrong_handshake_ends_the_stream(given: bytes) -> None:
    opened = stream()
    events = opened.receive(HEADER + given + b"<message/>")
    assert events[0] == Refused("bridge.example.org")
    assert ended(events) is StreamCondition.NOT_AUTHORIZED
    assert opened.output()[-1] == b"</stream:stream>"


def test_stanzas_before_the_handshake_are_not_authorised() -> None:
    assert ended(stream().receive(HEADER + b"<message to='a@b'/>")) is StreamCondition.NOT_AUTHORIZED


def test_a_second_stream_of_the_same_name_is_a_conflict() -> None:
    assert ended(stream(is_free=False).receive(HEADER + handshake())) is StreamCondition.CONFLICT


@pytest.mark.parametrize(
    "to", [b"other.example.org", b"example.org", b"", b"a@bridge.example.org", b"bridge.example.org/r", b"&lt;"]
)
def test_who_is_not_configured_is_unknown(to: bytes) -> None:
    opened = stream()
    events = opened.receive(HEADER.replace(b"Bridge.example.org", to))
    assert ended(events) is StreamCondition.HOST_UNKNOWN
    sent = b"".join(opened.output())
    assert sent.startswith(b"<?xml")
    assert b"host-unknown" in sent


def test_another_namespace_is_refused() -> None:
    events = stream().receive(HEADER.replace(b"jabber:component:accept", b"jabber:client"))
    assert ended(events) is StreamCondition.INVALID_NAMESPACE


@pytest.mark.parametrize(
    "sent",
    [
        b"<message to='a@b.c' from='bridge.example.org'><body>hi</body></message>",
        b"<message to='a@b.c' from='bridge.example.org' xmlns='jabber:component:accept'><body>hi</body></message>",
        b"<message to='a@b.c' from='bridge.example.org' xmlns='jabber:client'><body>hi</body></message>",
    ],
)
def test_stanzas_come_out_as_clients_send_them(sent: bytes) -> None:
    element = stanza(established().receive(sent)).element
    assert element.raw == b'<message to="a@b.c" from="bridge.example.org"><body>hi</body></message>'
    assert element.namespace == "jabber:client"
    assert element.text_of("jabber:client", "body") == "hi"


def test_the_namespace_within_a_text_stays() -> None:
    text = b'xmlns="jabber:component:accept"'
    element = stanza(established().receive(b"<message><body>" + text + b"</body></message>")).element
    assert element.text_of("jabber:client", "body") == text.decode()


def test_the_namespace_below_another_is_renamed() -> None:
    sent = b"<message><x xmlns='urn:x'><message xmlns='jabber:component:accept'/></x></message>"
    element = stanza(established().receive(sent)).element
    assert element.raw == b'<message><x xmlns="urn:x"><message xmlns="jabber:client"/></x></message>'


@pytest.mark.parametrize("sent", [b"<handshake/>", b"<x xmlns='urn:x'/>", b"<message xmlns='urn:x'/>"])
def test_what_is_no_stanza_ends_the_stream(sent: bytes) -> None:
    assert ended(established().receive(sent)) is StreamCondition.UNSUPPORTED_STANZA_TYPE


def test_the_end() -> None:
    opened = established()
    opened.send(b"<message/>")
    assert opened.receive(b"</stream:stream>") == [StreamEnded(is_clean=True)]
    assert opened.output() == [b"<message/>", b"</stream:stream>"]
    opened.send(b"<message/>")
    assert opened.output() == []
    assert opened.receive(b"<message/>") == []
    assert opened.fail(StreamCondition.RESET) == []
