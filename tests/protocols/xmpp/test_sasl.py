import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.xmpp.errors import PayloadError, SASLCondition, SASLError
from parley.protocols.xmpp.sasl import PlainCredentials, decode_payload, encode_payload, parse_plain, prepare_password


@given(st.binary())
def test_payloads_come_back(data: bytes):
    assert decode_payload(encode_payload(data)) == data


def test_an_equals_sign_is_an_empty_payload():
    assert decode_payload("=") == b""
    assert encode_payload(b"") == "="


@pytest.mark.parametrize(
    "text", ["A", "AA", "AA=", "AAA", "AB==", "AA==AA==", "A A=", "AAAA\n", " AAAA", "AA-_", "é", "=A=="]
)
def test_what_is_not_canonical_base64_is_refused(text: str):
    with pytest.raises(SASLError) as caught:
        decode_payload(text)
    assert caught.value.condition is SASLCondition.INCORRECT_ENCODING


@given(st.text())
def test_only_one_text_stands_for_each_payload(text: str):
    try:
        data = decode_payload(text)
    except SASLError:
        return
    assert text in {encode_payload(data), base64.b64encode(data).decode()}


def test_plain():
    assert parse_plain(b"\0user\0pass") == PlainCredentials("", "user", "pass")
    assert parse_plain("boss\0üser\0pä ss".encode()) == PlainCredentials("boss", "üser", "pä ss")
    assert "pass" not in repr(parse_plain(b"\0user\0pass"))


@pytest.mark.parametrize("data", [b"", b"user", b"user\0pass", b"\0user\0", b"\0\0pass", b"\0a\0b\0c", b"\0\xff\0pass"])
def test_malformed_plain_is_refused(data: bytes):
    with pytest.raises(SASLError) as caught:
        parse_plain(data)
    assert caught.value.condition is SASLCondition.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("pencil", "pencil"),
        ("I\u00adX", "IX"),  # RFC 4013 §3
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        (" a b ", " a b "),
        ("a\u00a0b", "a b"),
        ("e\u0301", "é"),
        ("🔑 locked", "🔑 locked"),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
    ],
)
def test_passwords_are_prepared(password: str, prepared: str):
    assert prepare_password(password) == prepared
    assert prepare_password(prepared) == prepared


@pytest.mark.parametrize("password", ["", "\u00ad", "\u0007", "\u0627\u0031", "a\u0627", "\ud800", "a\ufffd"])
def test_unfit_passwords_are_refused(password: str):
    with pytest.raises(PayloadError):
        prepare_password(password)
