import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lxml import etree

from parley.protocols.xmpp import stream_management as sm
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import HandledCountTooHigh, LocalProtocolError, PayloadError, StanzaCondition
from parley.protocols.xmpp.stream_management import StreamManagement


def test_an_acknowledgement_never_overtakes_work_in_progress():
    state = StreamManagement[str](10)
    first, second, third = state.received(), state.received(), state.received()
    assert (state.h, state.in_flight) == (0, 3)
    assert state.request() is None
    assert state.handled(third) == []
    assert state.handled(second) == []
    assert state.h == 0
    assert state.handled(first) == [3]
    assert (state.h, state.in_flight) == (3, 0)
    assert state.request() == 3


def test_requests_are_answered_in_their_place():
    state = StreamManagement[str](10)
    first = state.received()
    assert state.request() is None
    second = state.received()
    assert state.request() is None
    assert state.request() is None
    assert state.handled(first) == [1]
    # Each request has its answer (XEP-0198 §4).
    assert state.handled(second) == [2, 2]


def test_a_flood_of_requests_is_not_remembered():
    state = StreamManagement[str](10)
    token = state.received()
    for _ in range(5000):
        assert state.request() is None
    assert len(state.handled(token)) == 1000


def test_requests_of_a_lost_stream_are_forgotten():
    state = StreamManagement[str](10)
    token = state.received()
    state.request()
    state.forget_requests()
    assert state.handled(token) == []
    assert state.h == 1


def test_a_stanza_is_handled_once():
    state = StreamManagement[str](10)
    first, second = state.received(), state.received()
    state.handled(second)
    for token in (second, 0, -1, 3):
        with pytest.raises(LocalProtocolError):
            state.handled(token)
    state.handled(first)
    with pytest.raises(LocalProtocolError):
        state.handled(first)


def test_what_was_sent_waits_for_its_acknowledgement():
    state = StreamManagement[str](3)
    assert [state.sent(payload) for payload in "abcd"] == [True, True, True, False]
    assert (state.outstanding, state.sent_count) == (3, 3)
    assert state.acked(2) == ["a", "b"]
    assert state.acked(2) == []
    assert state.unacked() == ["c"]
    assert state.sent("e")
    assert state.acked(4) == ["c", "e"]


@pytest.mark.parametrize("h", [3, 2**32 - 1, 0])
def test_acknowledging_what_was_not_sent_ends_the_stream(h: int):
    state = StreamManagement[str](10)
    state.sent("a")
    state.acked(1)
    state.sent("b")
    with pytest.raises(HandledCountTooHigh) as caught:
        state.acked(h)
    assert state.unacked() == ["b"]
    tree = etree.fromstring(caught.value.to_bytes())
    assert tree[0].tag == "{urn:ietf:params:xml:ns:xmpp-streams}undefined-condition"
    assert tree[-1].tag == "{urn:xmpp:sm:3}handled-count-too-high"
    assert dict(tree[-1].attrib) == {"h": str(h), "send-count": "2"}


class Counting(RuleBasedStateMachine):
    """Both directions, close to 2^32, against plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.state = StreamManagement[int](5)
        # Nobody waits for four billion stanzas.
        self.base = 2**32 - 6
        self.state._acked = self.state._received = self.state._handled = self.base
        self.in_flight: list[int] = []
        self.received = self.base
        self.sent_total = self.acked_total = self.base
        self.waiting: list[int] = []

    @rule()
    def receive(self) -> None:
        self.received += 1
        token = self.state.received()
        assert token == self.received
        self.in_flight.append(token)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def handle(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.in_flight))
        self.in_flight.remove(token)
        answers = self.state.handled(token)
        due = [place for place in self.waiting if all(token > place for token in self.in_flight)]
        self.waiting = [place for place in self.waiting if place not in due]
        assert answers == [self.state.h] * len(due)

    @rule()
    def request(self) -> None:
        answer = self.state.request()
        if self.in_flight:
            assert answer is None
            self.waiting.append(self.received)
        else:
            assert answer == self.received % 2**32

    @rule()
    def send(self) -> None:
        has_room = self.sent_total - self.acked_total < 5
        assert self.state.sent(self.sent_total) is has_room
        self.sent_total += has_room

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        until = self.acked_total + int((self.sent_total - self.acked_total) * share)
        assert self.state.acked(until % 2**32) == list(range(self.acked_total, until))
        self.acked_total = until

    @rule(extra=st.integers(1, 1000))
    def acknowledge_too_much(self, extra: int) -> None:
        with pytest.raises(HandledCountTooHigh):
            self.state.acked((self.sent_total + extra) % 2**32)

    @invariant()
    def counts_agree(self) -> None:
        first_open = min(self.in_flight, default=self.received + 1)
        assert self.state.h == (first_open - 1) % 2**32
        assert self.state.unacked() == list(range(self.acked_total, self.sent_total))
        assert self.state.sent_count == self.sent_total % 2**32
        assert self.state.outstanding == self.sent_total - self.acked_total


TestCounting = Counting.TestCase


@pytest.mark.parametrize(("h", "value"), [("0", 0), ("17", 17), ("4294967295", 2**32 - 1)])
def test_h_is_read(h: str, value: int):
    assert sm.parse_h(Element.from_bytes(f"<a xmlns='urn:xmpp:sm:3' h='{h}'/>".encode())) == value


@pytest.mark.parametrize("h", ["", "-1", "x", "1.0", "4294967296", "٣", "99999999999999999999", " 1"])
def test_h_that_is_no_count_is_refused(h: str):
    with pytest.raises(PayloadError):
        sm.parse_h(Element.from_bytes(f"<a xmlns='urn:xmpp:sm:3' h='{h}'/>".encode()))
    with pytest.raises(PayloadError):
        sm.parse_h(Element.from_bytes(b"<a xmlns='urn:xmpp:sm:3'/>"))


def test_elements_of_the_protocol():
    assert sm.REQUEST == b'<r xmlns="urn:xmpp:sm:3"/>'
    assert sm.acknowledgement(7) == b'<a xmlns="urn:xmpp:sm:3" h="7"/>'
    assert sm.enabled() == b'<enabled xmlns="urn:xmpp:sm:3"/>'
    assert sm.enabled("x", max_s=300) == b'<enabled xmlns="urn:xmpp:sm:3" id="x" resume="true" max="300"/>'
    assert sm.resumed("x", 3) == b'<resumed xmlns="urn:xmpp:sm:3" previd="x" h="3"/>'
    failed = etree.fromstring(sm.failed(StanzaCondition.ITEM_NOT_FOUND, 4))
    assert (failed.tag, failed.get("h")) == ("{urn:xmpp:sm:3}failed", "4")
    assert failed[0].tag == "{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found"
    for value, asked in (("true", True), ("1", True), ("false", False), ("0", False)):
        element = Element.from_bytes(f"<enable xmlns='urn:xmpp:sm:3' resume='{value}'/>".encode())
        assert sm.is_resume_asked(element) is asked
    assert not sm.is_resume_asked(Element.from_bytes(b"<enable xmlns='urn:xmpp:sm:3'/>"))
