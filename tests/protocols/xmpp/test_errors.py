import pytest
from lxml import etree

from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import (
    LocalProtocolError,
    SASLCondition,
    SASLError,
    StanzaCondition,
    StanzaError,
    StanzaErrorType,
    StreamCondition,
    StreamError,
    error_reply,
    may_be_answered,
    stream_error,
)

STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
REQUEST = Element.from_bytes(b"<iq type='get' id='1' from='a@x/r' to='b@x'><q xmlns='u'/></iq>")


def test_a_reply_swaps_addresses_and_keeps_the_id():
    reply = Element.from_bytes(error_reply(REQUEST, StanzaError(StanzaCondition.ITEM_NOT_FOUND, "no <such> node")))
    assert (reply.name, reply.type, reply.id, reply.to, reply.from_) == ("iq", "error", "1", "a@x/r", "b@x")
    (error,) = reply.tree()
    assert dict(error.attrib) == {"type": "cancel", "code": "404"}
    assert [(child.tag, child.text) for child in error] == [
        (STANZAS + "item-not-found", None),
        (STANZAS + "text", "no <such> node"),
    ]


def test_a_reply_comes_from_whom_the_caller_says():
    reply = Element.from_bytes(error_reply(REQUEST, StanzaError(StanzaCondition.FORBIDDEN), from_="x"))
    assert reply.from_ == "x"
    anonymous = Element.from_bytes(b"<message id='2'/>")
    reply = Element.from_bytes(error_reply(anonymous, StanzaError(StanzaCondition.FORBIDDEN)))
    assert dict(reply.attrs) == {"type": "error", "id": "2"}


@pytest.mark.parametrize("condition", StanzaCondition)
def test_every_condition_has_a_type_and_the_number_older_clients_read(condition: StanzaCondition):
    error = etree.fromstring(StanzaError(condition).to_bytes())
    assert error.get("type") in {t.value for t in StanzaErrorType}
    assert (error.get("code") or "").isdigit() or condition is StanzaCondition.POLICY_VIOLATION
    assert error[0].tag == STANZAS + condition.value


def test_all_parts_of_a_stanza_error():
    error = StanzaError(
        StanzaCondition.GONE, "moved", type=StanzaErrorType.MODIFY, application=b"<y xmlns='u'/>", alternate="xmpp:b@y"
    )
    tree = etree.fromstring(error.to_bytes(by="b@x"))
    assert dict(tree.attrib) == {"type": "modify", "code": "302", "by": "b@x"}
    assert [(child.tag, child.text) for child in tree] == [
        (STANZAS + "gone", "xmpp:b@y"),
        (STANZAS + "text", "moved"),
        ("{u}y", None),
    ]
    assert (error.code, str(error)) == ("gone", "moved")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<iq type='get'/>", True),
        (b"<iq type='set'/>", True),
        (b"<iq type='result'/>", False),
        (b"<iq type='error'/>", False),
        (b"<iq/>", True),
        (b"<iq type='ask'/>", True),
        (b"<message/>", True),
        (b"<message type='error'/>", False),
        (b"<presence type='error'/>", False),
        (b"<presence type='subscribe'/>", True),
    ],
)
def test_errors_and_results_are_never_answered(data: bytes, expected: bool):
    element = Element.from_bytes(data)
    assert may_be_answered(element) is expected
    if not expected:
        with pytest.raises(LocalProtocolError):
            error_reply(element, StanzaError(StanzaCondition.BAD_REQUEST))


@pytest.mark.parametrize("condition", StreamCondition)
def test_a_stream_error_stands_alone(condition: StreamCondition):
    tree = etree.fromstring(stream_error(condition, "why"))
    assert tree.tag == "{http://etherx.jabber.org/streams}error"
    assert [(child.tag, child.text) for child in tree] == [
        ("{urn:ietf:params:xml:ns:xmpp-streams}" + condition.value, None),
        ("{urn:ietf:params:xml:ns:xmpp-streams}text", "why"),
    ]
    error = StreamError(condition, "why")
    assert (error.to_bytes(), error.code) == (stream_error(condition, "why"), condition.value)


def test_a_stream_error_may_name_another_host_and_a_reason_of_its_own():
    data = stream_error(StreamCondition.SEE_OTHER_HOST, application=b"<x xmlns='u'/>", alternate="[::1]:5222")
    assert [(child.tag.split("}")[1], child.text) for child in etree.fromstring(data)] == [
        ("see-other-host", "[::1]:5222"),
        ("x", None),
    ]


def test_a_sasl_failure():
    tree = etree.fromstring(SASLError(SASLCondition.NOT_AUTHORIZED, "no").to_bytes())
    sasl = "{urn:ietf:params:xml:ns:xmpp-sasl}"
    assert (tree.tag, [child.tag for child in tree]) == (sasl + "failure", [sasl + "not-authorized", sasl + "text"])
