"""Streams between servers: two of ours against each other, and what other servers get wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.xmpp import s2s
from parley.protocols.xmpp.dialback import Dialback, dialback_key
from parley.protocols.xmpp.errors import StreamCondition, StreamError
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.s2s_incoming import IncomingStream, Offers
from parley.protocols.xmpp.s2s_outgoing import OutgoingStream

HERE, THERE = "alpha.example", "beta.example"
MESSAGE = b'<message from="a@alpha.example/x" to="b@beta.example"><body>hi</body></message>'
ALL = Offers(external=True, dialback=True)


def config(domain: str, *, is_tls_required: bool = True) -> s2s.ServerStreamConfig:
    return s2s.ServerStreamConfig(
        domains=lambda name: name == domain,
        primary_domain=domain,
        secret=b"secret of " + domain.encode(),
        is_tls_required=is_tls_required,
        limits=FramingLimits(max_stanza_bytes=10_000),
        authenticated_limits=FramingLimits(),
    )


def incoming(
    offers: Callable[[str, str], Offers] | Offers = ALL, *, is_secure: bool = False, domain: str = THERE
) -> IncomingStream:
    numbers = itertools.count(1)
    ask = offers if callable(offers) else lambda _to, _from: offers
    return IncomingStream(config(domain), lambda: f"id{next(numbers)}", ask, is_secure=is_secure)


def outgoing(*, is_secure: bool = False, is_bidi: bool = False, is_dialback: bool = False) -> OutgoingStream:
    return OutgoingStream(
        config(HERE),
        HERE,
        THERE,
        is_secure=is_secure,
        is_dialback_allowed=is_dialback,
        is_bidi_wanted=is_bidi,
    )


class Play:
    """Carries bytes between both ends, a few at a time, and keeps what they say."""

    def __init__(self, initiator: OutgoingStream, receiver: IncomingStream, piece: int = 7) -> None:
        self.initiator, self.receiver = initiator, receiver
        self.of_initiator: list[s2s.Event] = []
        self.of_receiver: list[s2s.Event] = []
        self._piece = piece

    def run(self) -> None:
        while True:
            there, back = b"".join(self.initiator.output()), b"".join(self.receiver.output())
            if not there and not back:
                return
            for stream, data, events in (
                (self.receiver, there, self.of_receiver),
                (self.initiator, back, self.of_initiator),
            ):
                for at in range(0, len(data), self._piece):
                    events.extend(stream.receive(data[at : at + self._piece]))

    def tls(self) -> None:
        self.run()
        assert self.of_initiator.pop() == self.of_receiver.pop() == s2s.TlsWanted()
        self.initiator.tls_established()
        self.receiver.tls_established()
        self.run()


def say(stream: s2s.ServerStream, *data: bytes | str) -> list[s2s.Event]:
    return [event for item in data for event in stream.receive(item if isinstance(item, bytes) else item.encode())]


def sent(stream: s2s.ServerStream) -> str:
    return b"".join(stream.output()).decode()


def header(to: str = THERE, from_: str = HERE, version: str = "1.0", namespace: str = "jabber:server") -> str:
    return (
        f"<stream:stream xmlns='{namespace}' xmlns:stream='http://etherx.jabber.org/streams' "
        f"xmlns:db='jabber:server:dialback' from='{from_}' to='{to}' version='{version}'>"
    )


AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{}</auth>"


def signed_in() -> IncomingStream:
    stream = incoming(is_secure=True)
    events = say(stream, header(), AUTH.format("="), header())
    assert events == [s2s.Authenticated(HERE, "external")]
    stream.output()
    return stream


@pytest.mark.parametrize("piece", [1, 13, 100_000])
def test_a_certificate_authenticates_and_stanzas_flow_one_way(piece: int) -> None:
    play = Play(outgoing(), incoming(), piece)
    play.tls()
    assert play.of_initiator == [s2s.Authenticated(HERE, "external")]
    assert play.of_receiver == [s2s.Authenticated(HERE, "external")]
    assert play.initiator.is_sm_offered
    play.initiator.send(MESSAGE)
    play.run()
    arrived = play.of_receiver[-1]
    assert isinstance(arrived, s2s.StanzaArrived)
    assert arrived.element.raw == MESSAGE
    assert arrived.element.namespace == "jabber:client"
    assert [(child.namespace, child.name) for child in arrived.element.children] == [("jabber:client", "body")]
    play.receiver.send(b'<message from="b@beta.example" to="a@alpha.example"/>')
    play.run()
    assert play.of_initiator[-1] == s2s.ServerStreamEnded(
        False, StreamCondition.NOT_AUTHORIZED, "prove who you are first"
    )


def test_both_directions_share_a_stream_when_asked() -> None:
    play = Play(outgoing(is_bidi=True), incoming())
    play.tls()
    assert play.initiator.is_bidi
    assert play.receiver.is_bidi
    back = b'<message from="b@beta.example" to="a@alpha.example"/>'
    play.receiver.send(back)
    play.run()
    arrived = play.of_initiator[-1]
    assert isinstance(arrived, s2s.StanzaArrived)
    assert arrived.element.raw == back


def test_dialback_where_certificates_do_not_count() -> None:
    play = Play(outgoing(is_dialback=True), incoming(Offers(dialback=True)))
    play.tls()
    asked = play.of_receiver[-1]
    assert isinstance(asked, s2s.DialbackAsked)
    assert asked.question.key == dialback_key(b"secret of alpha.example", THERE, HERE, play.receiver.id)
    # The receiving server asks the authoritative one over a stream of its own.
    verifying = OutgoingStream(
        config(THERE),
        THERE,
        HERE,
        is_secure=True,
        is_dialback_allowed=False,
        is_bidi_wanted=False,
        is_for_verifying=True,
    )
    authoritative = incoming(Offers(), is_secure=True, domain=HERE)
    second = Play(verifying, authoritative)
    verifying.verify(Dialback("verify", THERE, HERE, id=play.receiver.id, key=asked.question.key))
    verifying.verify(Dialback("verify", THERE, HERE, id="another", key=asked.question.key))
    second.run()
    verdicts = [event.answer.type for event in second.of_initiator if isinstance(event, s2s.DialbackVerified)]
    assert verdicts == ["valid", "invalid"]
    assert play.receiver.dialback_answered(asked.question, "valid") == [s2s.Authenticated(HERE, "dialback")]
    play.run()
    assert play.of_initiator == [s2s.Authenticated(HERE, "dialback")]
    play.initiator.send(MESSAGE)
    play.run()
    assert isinstance(play.of_receiver[-1], s2s.StanzaArrived)


@pytest.mark.parametrize("verdict", ["invalid", "error"])
def test_a_stream_that_is_not_the_domains_own_carries_nothing(verdict: str) -> None:
    play = Play(outgoing(is_dialback=True), incoming(Offers(dialback=True)))
    play.tls()
    asked = play.of_receiver[-1]
    assert isinstance(asked, s2s.DialbackAsked)
    play.of_receiver += play.receiver.dialback_answered(asked.question, verdict, "remote-server-timeout")
    # XEP-0220 §2.2.1: a stream that is not the domain's MUST be closed; an error is no reason for that.
    assert (play.of_receiver[-1] == s2s.ServerStreamEnded(is_clean=True)) == (verdict == "invalid")
    play.run()
    failed = next(event for event in play.of_initiator if isinstance(event, s2s.AuthenticationFailed))
    assert failed.verdict == verdict
    assert play.of_receiver[-1] == s2s.ServerStreamEnded(is_clean=True)
    assert say(play.receiver, MESSAGE) == []


def test_dialback_is_refused_where_it_is_not_allowed() -> None:
    stream = incoming(Offers(external=True), is_secure=True)
    say(stream, header())
    assert "urn:xmpp:features:dialback" not in sent(stream)
    assert say(stream, f"<db:result from='{HERE}' to='{THERE}'>key</db:result>") == []
    assert "<not-allowed" in sent(stream)
    assert "not-authorized" in str(say(stream, MESSAGE))


def test_elements_of_dialback_have_the_prefix_of_the_header_and_errors_the_streams_namespace() -> None:
    # XEP-0220 §2, §2.5
    assert Dialback("verify", THERE, HERE, id="i", key="k").to_bytes() == (
        b'<db:verify from="beta.example" to="alpha.example" id="i">k</db:verify>'
    )
    assert Dialback("result", THERE, HERE, type="error", condition="remote-connection-failed").to_bytes() == (
        b'<db:result from="beta.example" to="alpha.example" type="error"><error type="cancel">'
        b'<remote-connection-failed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></db:result>'
    )


def test_dialback_before_tls_is_an_error_of_its_own_and_tls_may_follow() -> None:
    stream = incoming()
    assert say(stream, header(), f"<db:result from='{HERE}' to='{THERE}'>key</db:result>") == []
    assert "<policy-violation" in sent(stream)
    assert say(stream, f"<db:verify id='i' from='{HERE}' to='{THERE}'>key</db:verify>") == []
    assert "<policy-violation" in sent(stream)
    assert say(stream, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") == [s2s.TlsWanted()]


def piggybacked(offers: Callable[[str, str], Offers] | Offers = ALL) -> tuple[IncomingStream, s2s.DialbackAsked]:
    """A stream on which one domain is proven and another one asks to be."""
    stream = incoming(offers, is_secure=True)
    say(stream, header(), AUTH.format("="), header())
    (asked,) = say(stream, f"<db:result from='rooms.{HERE}' to='{THERE}'>key</db:result>")
    assert isinstance(asked, s2s.DialbackAsked)
    stream.output()
    return stream, asked


def test_a_further_domain_joins_the_stream() -> None:
    stream, asked = piggybacked()
    assert stream.dialback_answered(asked.question, "valid") == [s2s.Authenticated(f"rooms.{HERE}", "dialback")]
    both = (MESSAGE, MESSAGE.replace(b"a@alpha", b"r@rooms.alpha"))
    assert [type(event) for event in say(stream, *both)] == [s2s.StanzaArrived, s2s.StanzaArrived]


def test_who_lies_about_a_further_domain_does_not_end_the_stream_of_the_first() -> None:
    stream, asked = piggybacked()
    assert stream.dialback_answered(asked.question, "invalid") == []
    assert "<forbidden" in sent(stream)
    assert isinstance(say(stream, MESSAGE)[-1], s2s.StanzaArrived)
    ended = say(stream, MESSAGE.replace(b"a@alpha", b"r@rooms.alpha"))[-1]
    assert isinstance(ended, s2s.ServerStreamEnded)
    assert ended.condition is StreamCondition.INVALID_FROM


def test_a_further_domain_that_is_not_welcome_does_not_end_the_stream_of_the_first() -> None:
    def offers(_to: str, remote: str) -> Offers:
        if remote == HERE:
            return ALL
        raise StreamError(StreamCondition.POLICY_VIOLATION, "not welcome")

    stream = incoming(offers, is_secure=True)
    say(stream, header(), AUTH.format("="), header())
    assert say(stream, f"<db:result from='gamma.example' to='{THERE}'>key</db:result>") == []
    assert "<not-allowed" in sent(stream)
    assert isinstance(say(stream, MESSAGE)[-1], s2s.StanzaArrived)


def test_dialback_for_a_host_that_is_not_here_leaves_the_stream_be() -> None:
    stream = signed_in()
    assert say(stream, f"<db:result from='gamma.example' to='nowhere.{THERE}'>key</db:result>") == []
    assert f'from="nowhere.{THERE}" to="gamma.example" type="error"' in sent(stream)
    assert say(stream, f"<db:verify id='i' from='gamma.example' to='nowhere.{THERE}'>key</db:verify>") == []
    assert "<item-not-found" in sent(stream)
    assert isinstance(say(stream, MESSAGE)[-1], s2s.StanzaArrived)


def test_who_was_called_may_ask_to_speak_for_further_domains_and_is_answered() -> None:
    play = Play(outgoing(is_bidi=True), incoming())
    play.tls()
    assert say(play.initiator, f"<db:result from='rooms.{THERE}' to='{HERE}'>key</db:result>") == []
    assert "<not-acceptable" in sent(play.initiator)
    key = dialback_key(b"secret of alpha.example", THERE, HERE, "i")
    assert say(play.initiator, f"<db:verify id='i' from='{THERE}' to='{HERE}'>{key}</db:verify>") == []
    assert 'type="valid"' in sent(play.initiator)
    ended = say(play.initiator, f"<db:result from='rooms.{THERE}' to='{HERE}' type='valid'/>")[-1]
    assert isinstance(ended, s2s.ServerStreamEnded)


def test_both_directions_are_offered_before_and_behind_tls_and_taken_only_there() -> None:
    # XEP-0288 §2
    stream = incoming()
    say(stream, header())
    assert "urn:xmpp:features:bidi" in sent(stream)
    ended = say(stream, "<bidi xmlns='urn:xmpp:bidi'/>")[-1]
    assert isinstance(ended, s2s.ServerStreamEnded)
    assert not stream.is_bidi
    stream = incoming(is_secure=True)
    say(stream, header())
    assert "urn:xmpp:features:bidi" in sent(stream)
    say(stream, AUTH.format("="), header())
    assert "urn:xmpp:features:bidi" not in sent(stream).partition("<success")[2]


def test_a_proof_by_dialback_names_the_domain_that_it_was_given_to() -> None:
    """Where it is another than the stream's, stanzas may go back from it alone."""
    stream = IncomingStream(
        replace(config(THERE), domains=lambda name: name.endswith(THERE)),
        lambda: "id",
        lambda _to, _from: ALL,
        is_secure=True,
    )
    (asked,) = say(stream, header(), f"<db:result from='{HERE}' to='rooms.{THERE}'>key</db:result>")
    assert isinstance(asked, s2s.DialbackAsked)
    assert stream.dialback_answered(asked.question, "valid") == [
        s2s.Authenticated(HERE, "dialback", local=f"rooms.{THERE}")
    ]


def test_who_offers_no_way_in_is_told_to_the_caller() -> None:
    play = Play(outgoing(), incoming(Offers()))
    play.tls()
    assert play.of_initiator == [s2s.AuthenticationFailed("the peer does not take our certificate")]


def test_no_tls_no_stream() -> None:
    stream = outgoing()
    events = say(stream, header(HERE, THERE), "<stream:features/>")
    assert events == [s2s.AuthenticationFailed("the peer offers no TLS")]


def test_nothing_that_came_in_clear_behind_starttls_counts() -> None:
    stream = incoming()
    events = say(stream, header() + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + AUTH.format("="))
    assert events == [s2s.TlsWanted()]
    assert "required" in sent(stream)
    stream.tls_established()
    assert say(stream, header()) == []
    assert "EXTERNAL" in sent(stream)


def test_what_comes_at_once_behind_sasl_belongs_to_the_new_stream() -> None:
    stream = incoming(is_secure=True)
    events = say(stream, (header() + AUTH.format("=") + header()).encode() + MESSAGE)
    assert [type(event) for event in events] == [s2s.Authenticated, s2s.StanzaArrived]


@pytest.mark.parametrize(
    ("opening", "condition"),
    [
        (header(to="gamma.example"), StreamCondition.HOST_UNKNOWN),
        (header(to="user@beta.example"), StreamCondition.HOST_UNKNOWN),
        (header().replace(f"to='{THERE}'", ""), StreamCondition.HOST_UNKNOWN),
        (header(from_=THERE), StreamCondition.INVALID_FROM),
        (header(from_="a@alpha.example"), StreamCondition.IMPROPER_ADDRESSING),
        (header(version="0.9"), StreamCondition.UNSUPPORTED_VERSION),
        (header(namespace="jabber:client"), StreamCondition.INVALID_NAMESPACE),
    ],
)
def test_headers_that_are_refused(opening: str, condition: StreamCondition) -> None:
    stream = incoming(is_secure=True)
    events = say(stream, opening)
    assert isinstance(events[-1], s2s.ServerStreamEnded)
    assert events[-1].condition is condition
    answer = sent(stream)
    assert answer.startswith("<?xml")
    assert f"<{condition.value} " in answer
    assert answer.endswith("</stream:stream>")


def test_a_policy_refuses_a_stream_with_its_own_condition() -> None:
    def refuse(to: str, remote: str) -> Offers:
        raise StreamError(StreamCondition.POLICY_VIOLATION, f"{remote} has no agreement with {to}")

    stream = incoming(refuse, is_secure=True)
    assert say(stream, header()) == [
        s2s.ServerStreamEnded(
            False, StreamCondition.POLICY_VIOLATION, "alpha.example has no agreement with beta.example"
        )
    ]


@pytest.mark.parametrize(
    ("identity", "outcome"),
    [
        ("", "success"),
        ("=", "success"),
        ("YWxwaGEuZXhhbXBsZQ==", "success"),
        ("Z2FtbWE=", "not-authorized"),
        ("QA==", "invalid-authzid"),
    ],
)
def test_identities_of_sasl(identity: str, outcome: str) -> None:
    stream = incoming(is_secure=True)
    say(stream, header(), AUTH.format(identity))
    assert f"<{outcome}" in sent(stream)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<message from='a@alpha.example'/>", StreamCondition.IMPROPER_ADDRESSING),
        ("<message to='b@beta.example'/>", StreamCondition.IMPROPER_ADDRESSING),
        ("<message from='a@alpha.example' to='@'/>", StreamCondition.IMPROPER_ADDRESSING),
        ("<message from='a@gamma.example' to='b@beta.example'/>", StreamCondition.INVALID_FROM),
        ("<message from='a@alpha.example' to='b@gamma.example'/>", StreamCondition.HOST_UNKNOWN),
        ("<letter from='a@alpha.example' to='b@beta.example'/>", StreamCondition.UNSUPPORTED_STANZA_TYPE),
    ],
)
def test_stanzas_that_end_the_stream(stanza: str, condition: StreamCondition) -> None:
    events = say(signed_in(), stanza)
    assert isinstance(events[-1], s2s.ServerStreamEnded)
    assert events[-1].condition is condition


def test_stanzas_wait_for_authentication() -> None:
    stream = incoming(is_secure=True)
    say(stream, header())
    events = say(stream, MESSAGE)
    assert isinstance(events[-1], s2s.ServerStreamEnded)
    assert events[-1].condition is StreamCondition.NOT_AUTHORIZED


def test_another_host_that_answers_may_say_no_more_than_that_it_does_not_know_the_one_that_was_called() -> None:
    # RFC 6120 §4.9.1.2
    stream = outgoing(is_secure=True)
    assert say(stream, header(HERE, "gamma.example")) == []
    unknown = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    assert say(stream, unknown) == [s2s.ServerStreamEnded(False, StreamCondition.HOST_UNKNOWN, "", is_remote=True)]
    stream = outgoing(is_secure=True)
    ended = say(stream, header(HERE, "gamma.example"), "<stream:features/>")[-1]
    assert isinstance(ended, s2s.ServerStreamEnded)
    assert ended.condition is StreamCondition.INVALID_FROM


def test_an_error_of_the_peer_is_told() -> None:
    events = say(
        signed_in(),
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>bye</text></stream:error></stream:stream>",
    )
    assert events == [s2s.ServerStreamEnded(False, StreamCondition.SYSTEM_SHUTDOWN, "bye", is_remote=True)]


@pytest.mark.parametrize(
    ("stanza", "expected"),
    [
        (
            "<message from='a@alpha.example' to='b@beta.example'><body xmlns='jabber:server'>x</body></message>",
            '<message from="a@alpha.example" to="b@beta.example"><body>x</body></message>',
        ),
        (
            "<s:message xmlns:s='jabber:server' from='a@alpha.example' to='b@beta.example'><s:body/></s:message>",
            '<message from="a@alpha.example" to="b@beta.example"><body/></message>',
        ),
        (
            "<message from='a@alpha.example' to='b@beta.example'>"
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:server'/></forwarded></message>",
            '<message from="a@alpha.example" to="b@beta.example">'
            '<forwarded xmlns="urn:xmpp:forward:0"><message xmlns="jabber:server"/></forwarded></message>',
        ),
    ],
)
def test_the_servers_namespace_becomes_the_clients(stanza: str, expected: str) -> None:
    event = say(signed_in(), stanza)[-1]
    assert isinstance(event, s2s.StanzaArrived)
    assert event.element.raw.decode() == expected
    assert all(child.namespace != "jabber:server" for child in event.element.children)


def test_a_child_that_names_the_clients_namespace_leaves_without_it() -> None:
    stream = outgoing(is_secure=True)
    stream.output()
    stream.send(
        b'<message to="b@beta.example"><body xmlns="jabber:client">x</body><f xmlns="urn:f">'
        b'<message xmlns="jabber:client"/></f></message>'
    )
    assert sent(stream) == (
        '<message to="b@beta.example"><body>x</body><f xmlns="urn:f"><message xmlns="jabber:client"/></f></message>'
    )


@given(st.lists(st.sampled_from([header(), AUTH.format("="), MESSAGE.decode(), "</stream:stream>", "<x/>", "x", "<"])))
def test_no_order_of_elements_breaks_the_machine(items: list[str]) -> None:
    stream = incoming(is_secure=True)
    events = say(stream, *items)
    assert sum(isinstance(event, s2s.ServerStreamEnded) for event in events) <= 1
    arrived = [index for index, event in enumerate(events) if isinstance(event, s2s.StanzaArrived)]
    proven = [index for index, event in enumerate(events) if isinstance(event, s2s.Authenticated)]
    assert not arrived or proven[0] < arrived[0]


def test_keys_are_those_of_the_text() -> None:
    # XEP-0220 §2.1.1, §2.2.2 (XEP-0185 §3)
    key = dialback_key(b"s3cr3tf0rd14lb4ck", "montague.example", "capulet.example", "D60000229F")
    assert key == "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3"
    key = dialback_key(b"d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25")
    assert key == "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d"


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_key_tells_streams_apart(one: str, other: str) -> None:
    same = dialback_key(b"s", THERE, HERE, one) == dialback_key(b"s", THERE, HERE, other)
    assert same == (one == other)
