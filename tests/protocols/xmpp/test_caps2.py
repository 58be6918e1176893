"""XEP-0390: hashes of what entities can do, by the specification's example."""

from __future__ import annotations

import pytest
from lxml import etree

from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.caps2 import CapsHash, caps2_to_bytes, hash_input, hash_of, parse_caps2, verify2
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.errors import PayloadError

# §4.5.1
SIMPLE = DiscoInfo(
    (Identity("client", "mobile", name="BombusMod"),),
    (
        "http://jabber.org/protocol/si",
        "http://jabber.org/protocol/bytestreams",
        "http://jabber.org/protocol/chatstates",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "urn:xmpp:ping",
        "jabber:iq:time",
        "jabber:iq:privacy",
        "jabber:iq:version",
        "http://jabber.org/protocol/rosterx",
        "urn:xmpp:time",
        "jabber:x:oob",
        "http://jabber.org/protocol/ibb",
        "http://jabber.org/protocol/si/profile/file-transfer",
        "urn:xmpp:receipts",
        "jabber:iq:roster",
        "jabber:iq:last",
    ),
)
SHA256 = CapsHash("sha-256", "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=")
SHA3 = CapsHash("sha3-256", "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=")


@pytest.mark.parametrize("expected", [SHA256, SHA3])
def test_4_5_1_the_simple_example(expected: CapsHash) -> None:
    assert hash_of(SIMPLE, expected.algorithm) == expected
    assert verify2(SIMPLE, expected)
    assert not verify2(DiscoInfo(SIMPLE.identities, SIMPLE.features[1:]), expected)


def test_4_1_forms_are_part_of_it() -> None:
    form = Form("result", (Field("os", ("Mac", "A/UX")), Field("FORM_TYPE", ("urn:x",), "hidden")))
    expected = (
        b"a\x1f\x1c" + b"c\x1ft\x1f\x1f\x1f\x1e\x1c" + b"FORM_TYPE\x1furn:x\x1f\x1eos\x1fA/UX\x1fMac\x1f\x1e\x1d\x1c"
    )
    assert hash_input(DiscoInfo((Identity("c", "t"),), ("a",), (form,))) == expected


def test_what_has_no_hash() -> None:
    nameless = DiscoInfo((), (), (Form("result", (Field("os", ("Mac",)),)),))
    with pytest.raises(PayloadError):
        hash_of(nameless, "sha-256")
    with pytest.raises(PayloadError):
        hash_of(SIMPLE, "md5")
    assert not verify2(nameless, SHA256)


def test_the_best_hash_that_is_known() -> None:
    known = caps2_to_bytes([CapsHash("md5", "x"), SHA256, SHA3])
    assert parse_caps2(etree.fromstring(known)) == SHA3
    assert parse_caps2(etree.fromstring(caps2_to_bytes([CapsHash("md5", "x")]))) is None
    assert SHA256.node == f"urn:xmpp:caps#sha-256.{SHA256.value}"
    with pytest.raises(PayloadError):
        parse_caps2(etree.fromstring(b"<c/>"))
