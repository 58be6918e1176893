"""Elements of the newer SASL profile, Bind 2, tokens and SCRAM upgrades, by the examples of their specifications."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from parley.protocols.xmpp import bind2, fast, sasl2, scram_upgrade
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import SASLCondition, SASLError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.scram import derive_keys, offer_hash

ALICE = JID.parse("alice@example.org")


def element(text: str) -> Element:
    return Element.from_bytes(text.encode())


def same(actual: bytes, expected: str) -> bool:
    trees = [etree.fromstring(text, etree.XMLParser(remove_blank_text=True)) for text in (actual, expected.encode())]
    one, other = (etree.tostring(tree, method="c14n2", strip_text=True) for tree in trees)
    return one == other


def test_a_request_as_in_xep_0388() -> None:
    request = sasl2.parse_authenticate(
        element(
            """<authenticate xmlns='urn:xmpp:sasl:2' mechanism='BLURDYBLOOP'>
                 <initial-response>
                   SSBzaG91bGQgbWFrZSB0aGlzIGEgY29tcGV0aXRpb24=
                 </initial-response>
                 <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>
                   <software>AwesomeXMPP</software>
                   <device>Kiva's Phone</device>
                 </user-agent>
                 <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-BLOOP2</upgrade>
                 <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-BLOOP-42</upgrade>
                 <bind xmlns='urn:xmpp:bind:example'/>
               </authenticate>"""
        )
    )
    assert request.mechanism == "BLURDYBLOOP"
    assert request.initial == b"I should make this a competition"
    assert request.agent == sasl2.UserAgent("d4565fa7-4d72-4749-b3d3-740edbf87770", "AwesomeXMPP", "Kiva's Phone")
    assert request.upgrades == ("UPGR-BLOOP2", "UPGR-BLOOP-42")
    assert list(request.inline) == [("urn:xmpp:bind:example", "bind")]
    assert "competition" not in repr(request)


@pytest.mark.parametrize(("text", "expected"), [("", None), ("<initial-response/>", b"")])
def test_no_response_is_not_an_empty_one(text: str, expected: bytes | None) -> None:
    request = sasl2.parse_authenticate(
        element(f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='X'>{text}</authenticate>")
    )
    assert request.initial == expected


@pytest.mark.parametrize("text", ["=", "%", "eHg", "e Hg=", "eHg=\u00a0", "eHh="])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(SASLError) as caught:
        sasl2.parse_data(etree.fromstring(f"<response>{text}</response>"))
    assert caught.value.condition is SASLCondition.INCORRECT_ENCODING


def test_names_are_one_line_of_bounded_length() -> None:
    agent = f"<user-agent><software>a\n b\u202e\u0085</software><device>{'x' * 500}</device></user-agent>"
    request = sasl2.parse_authenticate(element(f"<authenticate xmlns='urn:xmpp:sasl:2'>{agent}</authenticate>"))
    assert request.agent.software == "a b"
    assert request.agent.device == "x" * 100


def test_answers_as_in_xep_0388() -> None:
    assert same(
        sasl2.success("user@example.org", b"v=msVHs/BzIOHDqXeVH7EmmDu9id8="),
        """<success xmlns='urn:xmpp:sasl:2'>
             <additional-data>dj1tc1ZIcy9CeklPSERxWGVWSDdFbW1EdTlpZDg9</additional-data>
             <authorization-identifier>user@example.org</authorization-identifier>
           </success>""",
    )
    assert same(
        sasl2.success("user@example.org", None),
        """<success xmlns='urn:xmpp:sasl:2'>
             <authorization-identifier>user@example.org</authorization-identifier></success>""",
    )
    assert same(
        sasl2.failure(
            SASLCondition.ABORTED,
            "This is a terrible example.",
            b"<optional-application-specific xmlns='urn:something:else'/>",
        ),
        """<failure xmlns='urn:xmpp:sasl:2'>
             <aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>
             <optional-application-specific xmlns='urn:something:else'/>
             <text>This is a terrible example.</text>
           </failure>""",
    )
    assert same(
        sasl2.to_continue("UPGR-BLOOP2", b"I'm bored now."),
        """<continue xmlns='urn:xmpp:sasl:2'><additional-data>SSdtIGJvcmVkIG5vdy4=</additional-data>
             <tasks><task>UPGR-BLOOP2</task></tasks></continue>""",
    )


@given(st.binary())
def test_data_comes_back(data: bytes) -> None:
    tree = etree.fromstring(sasl2.challenge(data))
    assert sasl2.parse_data(tree) == data


def test_what_was_offered_as_in_xep_0474() -> None:
    offered = offer_hash(
        "SCRAM-SHA-1-PLUS", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], ["tls-server-end-point", "tls-exporter"]
    )
    assert offered == "h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
    without = base64.b64encode(hashlib.sha256(b"A\x1eB").digest()).decode()
    assert offer_hash("SCRAM-SHA-256", ["B", "A"], []) == f"h={without}"


# Bind 2.


def test_bind_as_in_xep_0386() -> None:
    tree = etree.fromstring("<bind xmlns='urn:xmpp:bind:0'><tag> AwesomeXMPP </tag></bind>")
    assert str(bind2.full_address(ALICE, bind2.parse_tag(tree), "x1")) == "alice@example.org/AwesomeXMPP/x1"
    assert same(
        bind2.feature(["urn:xmpp:carbons:2", "urn:xmpp:sm:3"]),
        """<bind xmlns='urn:xmpp:bind:0'><inline>
             <feature var="urn:xmpp:carbons:2"/><feature var="urn:xmpp:sm:3"/></inline></bind>""",
    )


@given(st.text(max_size=1200))
def test_any_tag_gives_an_address(tag: str) -> None:
    address = bind2.full_address(ALICE, tag, "id")
    assert address.bare == ALICE
    assert address.resource == "id" or address.resource.endswith("/id")


# Tokens.


def test_mechanisms_by_channel_binding() -> None:
    assert fast.offered({}) == ("HT-SHA-256-NONE",)
    everything = {"tls-server-end-point": b"e", "tls-unique": b"u", "tls-exporter": b"x", "other": b"o"}
    assert fast.offered(everything) == ("HT-SHA-256-EXPR", "HT-SHA-256-UNIQ", "HT-SHA-256-ENDP", "HT-SHA-256-NONE")
    assert [fast.binding_data(name, everything) for name in fast.offered(everything)] == [b"x", b"u", b"e", b""]


@given(st.text(min_size=1, max_size=50).filter(lambda text: "\0" not in text), st.binary(max_size=64), st.text())
def test_a_client_that_follows_the_draft_is_understood(authcid: str, binding: bytes, token: str) -> None:
    try:
        name, key = authcid.encode(), token.encode()
    except UnicodeEncodeError:
        return
    said = name + b"\0" + hmac.digest(key, b"Initiator" + binding, "sha256")
    initiation = fast.parse_initiation(said)
    assert initiation.authcid == authcid
    assert initiation.proof == fast.initiator_proof(token, binding)
    assert fast.responder_proof(token, binding) == hmac.digest(key, b"Responder" + binding, "sha256")


@given(st.binary(max_size=100))
def test_of_an_initiation_nothing_else_is_said_than_that_it_is_malformed(data: bytes) -> None:
    name, _, proof = data.partition(b"\0")
    if name and len(proof) == fast.HASH_BYTES and name.isascii():
        assert fast.parse_initiation(data).proof == proof
    elif not name or len(proof) != fast.HASH_BYTES:
        with pytest.raises(SASLError) as caught:
            fast.parse_initiation(data)
        assert caught.value.condition is SASLCondition.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<fast/>", fast.FastRequest(None, is_invalidating=False)),
        ("<fast count='123'/>", fast.FastRequest(123, is_invalidating=False)),
        ("<fast count='123' invalidate='true'/>", fast.FastRequest(123, is_invalidating=True)),
        ("<fast invalidate='1'/>", fast.FastRequest(None, is_invalidating=True)),
        ("<fast invalidate='false'/>", fast.FastRequest(None, is_invalidating=False)),
    ],
)
def test_fast(text: str, expected: fast.FastRequest) -> None:
    assert fast.parse_fast(etree.fromstring(text)) == expected


def test_a_token_as_in_xep_0484() -> None:
    assert same(
        fast.token_element("WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm", 1_584_023_775_000_000),
        "<token xmlns='urn:xmpp:fast:0' expiry='2020-03-12T14:36:15Z' token='WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm'/>",
    )


# Upgrades.


@given(st.sampled_from(scram_upgrade.TASKS), st.binary(min_size=16, max_size=16))
def test_the_keys_of_an_upgrade_are_those_of_the_password(task: str, salt: bytes) -> None:
    tree = etree.fromstring(scram_upgrade.parameters(salt, 3))
    assert base64.b64decode(tree.text or "") == salt
    assert tree.get("iterations") == "3"
    name = {"UPGR-SCRAM-SHA-256": "sha256", "UPGR-SCRAM-SHA-512": "sha512"}[task]
    salted = base64.b64encode(hashlib.pbkdf2_hmac(name, b"pencil", salt, 3)).decode()
    hashed = f"<hash xmlns='urn:xmpp:scram-upgrade:0'>\n {salted}\n</hash>"
    said = element(f"<task-data xmlns='urn:xmpp:sasl:2'>{hashed}</task-data>")
    keys, expected = scram_upgrade.parse_keys(said, task, salt, 3), derive_keys(name, "pencil", salt, 3)
    assert (keys.stored_key, keys.server_key, keys.salt, keys.iterations) == (
        expected.stored_key,
        expected.server_key,
        salt,
        3,
    )


def test_offers_as_in_xep_0480() -> None:
    assert same(
        b"<x>" + scram_upgrade.features() + b"</x>",
        """<x><upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade></x>""",
    )
