"""The server's end of a stream, without anything behind it: order, pipelining, answers that come too late."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from parley.protocols.xmpp.c2s import (
    AuthAborted,
    AuthRequested,
    AuthResponded,
    BindRequested,
    ClientStream,
    Event,
    NonzaReceived,
    StanzaReceived,
    StreamConfig,
    StreamEnded,
    StreamState,
    TlsRequested,
)
from parley.protocols.xmpp.errors import SASLCondition, StanzaCondition, StanzaError, StreamCondition
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.jid import JID

HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.org' from='alice@example.org' version='1.0' xml:lang='de-CH' "
    b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
SASL = b"xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
AUTH = b"<auth %b mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>" % SASL
BIND = b"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
FRAMING = b"xmlns='urn:ietf:params:xml:ns:xmpp-framing'"
ALICE = JID.parse("alice@example.org/r")


def mechanisms(bindings: Mapping[str, bytes], is_secure: bool) -> tuple[str, ...]:
    return ("SCRAM-SHA-1", "PLAIN") if is_secure else ("SCRAM-SHA-1",)


def a_stream(
    *,
    is_framed: bool = False,
    is_secure: bool = True,
    is_tls_required: bool = False,
    bindings: Mapping[str, bytes] | None = None,
) -> ClientStream:
    config = StreamConfig(
        domains=frozenset({"example.org", "example.net"}),
        primary_domain="example.org",
        is_framed=is_framed,
        is_tls_offered=not is_framed,
        is_tls_required=is_tls_required,
        mechanisms=mechanisms,
        features=lambda is_authenticated: b"<after/>" if is_authenticated else b"<before/>",
        limits=FramingLimits(max_stanza_bytes=20_000),
        authenticated_limits=FramingLimits(max_stanza_bytes=40_000),
    )
    return ClientStream(config, lambda: "i1", is_secure=is_secure, channel_bindings=bindings or {})


def sent(stream: ClientStream) -> bytes:
    return b"".join(stream.output())


def established() -> ClientStream:
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded()
    stream.receive(HEADER + BIND)
    stream.bound("1", ALICE)
    stream.output()
    return stream


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def test_the_header_is_answered_to_who_sent_it() -> None:
    stream = a_stream(bindings={"tls-exporter": b"x"})
    assert stream.receive(HEADER) == []
    out = sent(stream)
    assert b' from="example.org"' in out
    assert b' to="alice@example.org"' in out
    assert b' id="i1"' in out
    assert b"version='1.0'" in out
    assert b'<channel-binding type="tls-exporter"/>' in out
    assert stream.lang == "de-CH"


@pytest.mark.parametrize(
    ("named", "answered"),
    [(b"from='alice@example.org/phone' ", b' to="alice@example.org"'), (b"from='example.org' ", b' to="example.org"')],
)
def test_the_header_goes_to_the_bare_address_that_it_came_from(named: bytes, answered: bytes) -> None:
    # RFC 6120 §4.7.2
    stream = a_stream()
    stream.receive(HEADER.replace(b"from='alice@example.org' ", named))
    assert answered + b">" in sent(stream)


def test_a_header_from_nobody_is_answered_to_nobody() -> None:
    stream = a_stream()
    stream.receive(HEADER.replace(b"from='alice@example.org' ", b""))
    assert b" to=" not in sent(stream)


@pytest.mark.parametrize(
    ("named", "is_refused"),
    [
        (b"from='bob@example.org' ", True),
        (b"from='alice@elsewhere.example' ", True),
        (b"from='ALICE@example.org/phone' ", False),
        (b"from='example.org' ", False),
        (b"", False),
    ],
)
def test_behind_sasl_the_header_names_who_signed_in(named: bytes, is_refused: bool) -> None:
    # RFC 6120 §4.9.3.9
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded(who=ALICE.bare)
    stream.output()
    events = stream.receive(HEADER.replace(b"from='alice@example.org' ", named))
    assert (b"<invalid-from " in sent(stream)) is is_refused
    assert kinds(events) == ([StreamEnded] if is_refused else [])


def test_an_error_of_the_client_closes_the_stream() -> None:
    error = b"<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    signing_in = a_stream()
    signing_in.receive(HEADER)
    signing_in.output()
    for stream in (signing_in, established()):
        # RFC 6120 §4.9.1.1: it cannot be recovered from; nobody answers it by another error.
        assert stream.receive(error + b"</stream:stream>") == [StreamEnded(is_clean=True)]
        assert sent(stream) == b"</stream:stream>"


@pytest.mark.parametrize("lang", ["", "x" * 9, "de_CH", "de'", "-".join(["abc"] * 20)])
def test_what_is_no_language_is_not_remembered(lang: str) -> None:
    stream = a_stream()
    stream.receive(HEADER.replace(b"'de-CH'", f'"{lang}"'.encode()))
    assert stream.lang == ""


@pytest.mark.parametrize("version", [b"0.9", b"1", b"", b"x.y", b"\xd9\xa1.\xd9\xa0"])
def test_versions(version: bytes) -> None:
    stream = a_stream()
    events = stream.receive(HEADER.replace(b"version='1.0' xml", b"version='" + version + b"' xml"))
    assert events == [
        StreamEnded(is_clean=False, condition=StreamCondition.UNSUPPORTED_VERSION, text="version 1.0 is required")
    ]
    # RFC 6120 §4.9.1.2: also an error comes behind a header.
    assert sent(stream).startswith(b"<?xml")


def test_newer_versions_are_answered_with_ours() -> None:
    stream = a_stream()
    stream.receive(HEADER.replace(b"version='1.0' xml", b"version='1.15' xml"))
    assert stream.state is StreamState.NEGOTIATING


@pytest.mark.parametrize("to", [b"", b"a@example.org", b"example.org/x", b"@", b"elsewhere.example"])
def test_hosts_that_are_not_served(to: bytes) -> None:
    events = a_stream().receive(HEADER.replace(b"to='example.org'", b"to='" + to + b"'"))
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.HOST_UNKNOWN


def test_the_host_stays_the_same_over_a_restart() -> None:
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded()
    events = stream.receive(HEADER.replace(b"to='example.org'", b"to='example.net'"))
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.HOST_UNKNOWN


def test_elements_wait_behind_a_question() -> None:
    stream = a_stream()
    events = stream.receive(HEADER + AUTH)
    assert events == [AuthRequested("PLAIN", b"\0alice\0secret")]
    assert stream.receive(b"<response/>") == []
    assert stream.held_bytes == len(b"<response/>")
    assert stream.proceed() == []
    stream.auth_failed(SASLCondition.NOT_AUTHORIZED)
    assert kinds(stream.proceed()) == [StreamEnded]


def test_an_attempt_in_the_same_bytes_as_a_refused_one() -> None:
    stream = a_stream()
    wrong = b"<auth %b mechanism='X-NONE'/>" % SASL
    assert stream.receive(HEADER + wrong + wrong + AUTH) == [
        AuthAborted(SASLCondition.INVALID_MECHANISM),
        AuthAborted(SASLCondition.INVALID_MECHANISM),
        AuthRequested("PLAIN", b"\0alice\0secret"),
    ]
    assert sent(stream).count(b"<invalid-mechanism/>") == 2


def test_giving_up_and_trying_again_at_once() -> None:
    stream = a_stream()
    auth = b"<auth %b mechanism='PLAIN'/>" % SASL
    assert stream.receive(HEADER + auth) == [AuthRequested("PLAIN", None)]
    stream.challenge(b"")
    # RFC 6120 §6.4.2, §6.4.3: "=" stands for an empty initial response and for nothing else.
    assert sent(stream).endswith(b'<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>')
    assert stream.receive(b"<abort %b/>" % SASL + AUTH) == [
        AuthAborted(SASLCondition.ABORTED),
        AuthRequested("PLAIN", b"\0alice\0secret"),
    ]
    assert b"<aborted/>" in sent(stream)


@pytest.mark.parametrize("namespace", ["urn:ietf:params:xml:ns:xmpp-sasl", "urn:xmpp:sasl:2"])
def test_what_comes_when_no_exchange_is_in_progress_is_answered_in_its_profile(namespace: str) -> None:
    stream = a_stream()
    stream.receive(HEADER)
    stream.output()
    for name, condition in (("abort", SASLCondition.ABORTED), ("response", SASLCondition.MALFORMED_REQUEST)):
        assert stream.receive(f"<{name} xmlns='{namespace}'/>".encode()) == [AuthAborted(condition)]
        answer = sent(stream)
        assert answer.startswith(f'<failure xmlns="{namespace}">'.encode())
        assert f"<{condition}".encode() in answer
    assert stream.state is StreamState.NEGOTIATING


def test_payloads_of_sasl() -> None:
    stream = a_stream()
    assert stream.receive(HEADER + b"<auth %b mechanism='PLAIN'>=</auth>" % SASL) == [AuthRequested("PLAIN", b"")]
    stream.auth_failed(SASLCondition.MALFORMED_REQUEST)
    for text in (b"%%", b"AA", b"A A=", b"AB=="):
        assert stream.receive(b"<auth %b mechanism='PLAIN'>%b</auth>" % (SASL, text)) == [
            AuthAborted(SASLCondition.INCORRECT_ENCODING)
        ]
        assert b"<incorrect-encoding/>" in sent(stream)
    assert stream.receive(b"<auth %b mechanism='PLAIN'/>" % SASL) == [AuthRequested("PLAIN", None)]
    stream.challenge(b"x")
    assert stream.receive(b"<response %b>!</response>" % SASL) == [AuthAborted(SASLCondition.INCORRECT_ENCODING)]
    assert stream.state is StreamState.NEGOTIATING
    stream.receive(b"<auth %b mechanism='PLAIN'/>" % SASL)
    stream.challenge(b"x")
    assert stream.receive(b"<response %b/>" % SASL) == [AuthResponded(b"")]


def test_a_stanza_in_the_middle_of_sasl_ends_the_stream() -> None:
    stream = a_stream()
    stream.receive(HEADER + b"<auth %b mechanism='PLAIN'/>" % SASL)
    stream.challenge(b"")
    events = stream.receive(b"<message/>")
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.NOT_AUTHORIZED


def test_binding() -> None:
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded(b"v=1")
    out = sent(stream)
    assert out.endswith(b">dj0x</success>")
    assert b"<before/>" in out
    with_resource = b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>home</resource></bind>"
    assert stream.receive(HEADER + b"<iq type='set' id='2'>" + with_resource + b"</iq>") == [BindRequested("2", "home")]
    stream.bind_refused("2", StanzaError(StanzaCondition.RESOURCE_CONSTRAINT))
    out = sent(stream)
    assert b"<after/>" in out
    assert b"<mechanisms" not in out
    assert b"<resource-constraint" in out
    assert stream.receive(BIND + b"<message/>") == [BindRequested("1", "")]
    stream.bound("1", ALICE)
    assert kinds(stream.proceed()) == [StanzaReceived]


@pytest.mark.parametrize(
    "stanza",
    [
        b"<message/>",
        b"<iq type='get' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        b"<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        b"<iq type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    ],
)
def test_nothing_but_binding_before_binding(stanza: bytes) -> None:
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded()
    events = stream.receive(HEADER + stanza)
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.NOT_AUTHORIZED


def test_an_established_stream() -> None:
    stream = established()
    events = stream.receive(b"<message/> <iq/><presence/><r xmlns='urn:xmpp:sm:3'/>")
    assert kinds(events) == [StanzaReceived, StanzaReceived, StanzaReceived, NonzaReceived]
    events = stream.receive(b"<other/>")
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.UNSUPPORTED_STANZA_TYPE
    assert stream.receive(b"<message/>") == []


def test_a_resumed_stream_is_established() -> None:
    stream = a_stream()
    stream.receive(HEADER + AUTH)
    stream.auth_succeeded()
    assert kinds(stream.receive(HEADER + b"<resume xmlns='urn:xmpp:sm:3'/>")) == [NonzaReceived]
    stream.resumed()
    assert kinds(stream.receive(b"<message/>")) == [StanzaReceived]


def test_starttls() -> None:
    stream = a_stream(is_secure=False, is_tls_required=True)
    stream.receive(HEADER)
    out = sent(stream)
    assert b"<required/>" in out
    assert b"<mechanisms" not in out
    assert stream.receive(AUTH) == [AuthAborted(SASLCondition.ENCRYPTION_REQUIRED)]
    assert b"<encryption-required/>" in sent(stream)
    assert stream.receive(STARTTLS + b"<in-clear/>") == [TlsRequested()]
    stream.tls_established({"tls-exporter": b"x"})
    assert stream.proceed() == []
    assert stream.receive(HEADER) == []
    assert b"PLAIN" in sent(stream)


def test_starttls_where_it_is_not_offered() -> None:
    stream = a_stream()
    stream.receive(HEADER)
    stream.output()
    assert stream.receive(STARTTLS) == [StreamEnded(is_clean=False)]
    assert sent(stream) == b'<failure xmlns="urn:ietf:params:xml:ns:xmpp-tls"/></stream:stream>'


def test_frames() -> None:
    stream = a_stream(is_framed=True)
    stream.receive(b"<open %b to='example.org' version='1.0' xml:lang='en'/>" % FRAMING)
    header, features = stream.output()
    assert header.startswith(b'<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.org" id="i1"')
    assert features.startswith(b'<stream:features xmlns:stream="http://etherx.jabber.org/streams">')
    assert stream.receive(AUTH) == [AuthRequested("PLAIN", b"\0alice\0secret")]
    assert stream.receive(b"<one/>") == []
    stream.auth_succeeded()
    assert kinds(stream.proceed()) == [StreamEnded]


def test_a_stanza_goes_out_as_a_frame() -> None:
    stream = a_stream(is_framed=True)
    stream.receive(b"<open %b to='example.org' version='1.0'/>" % FRAMING)
    stream.output()
    stream.send(b'<message id="1"/>')
    assert stream.output() == [b'<message xmlns="jabber:client" id="1"/>']
    assert stream.receive(b"<close %b/>" % FRAMING) == [StreamEnded(is_clean=True)]
    assert stream.output() == [b'<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>']


def test_a_second_header_ends_the_stream() -> None:
    stream = a_stream(is_framed=True)
    opening = b"<open %b to='example.org' version='1.0'/>" % FRAMING
    stream.receive(opening)
    events = stream.receive(opening)
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.BAD_FORMAT


def test_an_element_where_a_header_belongs() -> None:
    events = a_stream(is_framed=True).receive(AUTH)
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.BAD_FORMAT


def test_content_in_another_namespace() -> None:
    events = a_stream().receive(HEADER.replace(b"jabber:client", b"jabber:server"))
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.INVALID_NAMESPACE


def test_what_the_trees_do_not_take_ends_the_stream() -> None:
    stream = ClientStream(
        StreamConfig(
            domains=frozenset({"example.org"}),
            primary_domain="example.org",
            is_framed=False,
            is_tls_offered=False,
            is_tls_required=False,
            mechanisms=mechanisms,
            features=lambda _: b"",
            limits=FramingLimits(max_stanza_bytes=200_000),
            authenticated_limits=FramingLimits(),
        ),
        lambda: "i",
        is_secure=True,
        channel_bindings={},
    )
    events = stream.receive(HEADER + b"<auth %b mechanism='PLAIN'><%b/></auth>" % (SASL, b"x" * 60_000))
    assert isinstance(events[0], StreamEnded)
    assert events[0].condition is StreamCondition.NOT_WELL_FORMED


def test_closing_before_a_header_came() -> None:
    stream = a_stream()
    stream.close()
    out = sent(stream)
    assert out.startswith(b"<?xml")
    assert out.endswith(b"</stream:stream>")
    stream.close()
    assert stream.output() == []
    assert stream.fail(StreamCondition.RESET) == []


def test_answers_that_come_too_late_change_nothing() -> None:
    for question in (HEADER, HEADER + AUTH):
        stream = a_stream()
        stream.receive(question)
        stream.fail(StreamCondition.CONNECTION_TIMEOUT)
        stream.output()
        stream.challenge(b"x")
        stream.auth_succeeded(b"x")
        stream.auth_failed(SASLCondition.NOT_AUTHORIZED)
        stream.tls_established({})
        stream.bound("1", ALICE)
        stream.bind_refused("1", StanzaError(StanzaCondition.CONFLICT))
        stream.resumed()
        assert stream.output() == []
        assert stream.state is StreamState.CLOSED
        assert stream.proceed() == []
