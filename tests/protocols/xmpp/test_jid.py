import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("example.org", ("", "example.org", "")),
        ("alice@example.org", ("alice", "example.org", "")),
        ("alice@example.org/phone", ("alice", "example.org", "phone")),
        ("Alice@EXAMPLE.org/Phone", ("alice", "example.org", "Phone")),
        ("example.org./a", ("", "example.org", "a")),
        ("a@b/c@d/e", ("a", "b", "c@d/e")),
        ("a@b//", ("a", "b", "/")),
        ("a@127.0.0.1", ("a", "127.0.0.1", "")),
        ("a@[::1]", ("a", "[::1]", "")),
        ("a@[0:0::1]/r", ("a", "[::1]", "r")),
        ("Fußball@example.com", ("fußball", "example.com", "")),
        ("π@example.com", ("π", "example.com", "")),
        ("Σ@example.com/foo", ("σ", "example.com", "foo")),
        ("king@example.com/♚", ("king", "example.com", "♚")),
        ("a@BÜCHER.example", ("a", "bücher.example", "")),
        ("a@xn--bcher-kva.example", ("a", "bücher.example", "")),
        ("a@bücher。example", ("a", "bücher.example", "")),
        ("foo@example.com/foo bar", ("foo", "example.com", "foo bar")),
        ("foo@example.com/foo\u00a0bar", ("foo", "example.com", "foo bar")),
        ("Ａlice@example.com", ("alice", "example.com", "")),
        ("e\u0301@example.com", ("é", "example.com", "")),
        ("juliet@example.com.", ("juliet", "example.com", "")),
        ("a" * 1023 + "@x", ("a" * 1023, "x", "")),
        ("localhost", ("", "localhost", "")),
    ],
)
def test_addresses_have_a_normal_form(text: str, parts: tuple[str, str, str]):
    jid = JID.parse(text)
    assert (jid.local, jid.domain, jid.resource) == parts
    assert JID.parse(str(jid)) == jid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@example.org",
        "alice@",
        "alice@/x",
        "/x",
        "alice@example.org/",
        "a b@example.org",
        '"juliet"@example.com',
        "foo bar@example.com",
        "<a>@example.org",
        "a'b@example.org",
        "a&b@example.org",
        "a:b@example.org",
        "a\u00a0b@example.org",
        "henry\u2163@example.com",
        "♚@example.com",
        "a\x00@example.org",
        "a@exa mple.org",
        "a@example..org",
        "a@example..",
        "a@example.\u3002",
        "a@-example.org",
        "a@example-.org",
        "a@.example.org",
        "a@exam_ple.org",
        "a@b@c",
        "a@xn--.example",
        "a@xn--a.example",
        "a@[::1",
        "a@[::g]",
        "a@[fe80::1%eth0]",
        "a@[]",
        "a@" + "b" * 64 + ".example",
        "a@" + "ü" * 62 + ".example",
        "a" * 1024 + "@x",
        "é" * 512 + "@x",
        "a@b/" + "c" * 1024,
        "a@b/\x07",
        "a@b/\ud800",
        "a\ud800@b",
        "a@\ud800",
        "a@" + ".".join(["b"] * 600),
        "a@" + "ü" * 1024,
        "a" * 10_000,
    ],
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(JIDError):
        JID.parse(text)


def test_bare_and_full():
    full = JID.parse("alice@example.org/phone")
    assert (full.is_full, full.is_bare) == (True, False)
    assert full.bare == JID.parse("alice@example.org")
    assert full.bare.bare is full.bare
    assert (full.bare.is_full, full.bare.is_bare) == (False, True)
    assert full.bare.with_resource("web\u00a0app") == JID.parse("alice@example.org/web app")
    with pytest.raises(JIDError):
        full.with_resource("")


def test_comparison():
    a, b = JID.parse("a@x"), JID.parse("a@x/r")
    assert a == JID("a", "x")
    assert hash(a) == hash(JID("a", "x"))
    assert a != b
    assert a != "a@x"
    assert sorted([b, a]) == [a, b]
    assert repr(b) == "JID('a@x/r')"
    with pytest.raises(AttributeError):
        a.local = "b"  # type: ignore[misc]


pieces = st.one_of(
    st.text(max_size=8), st.sampled_from(["xn--", "a", "B", ".", "-", "ß", "ς", "İ", "Å", "ﬀ", "。", "\u200d"])
)


@given(st.one_of(st.text(), st.lists(st.one_of(pieces, st.sampled_from("@/")), max_size=8).map("".join)))
@example("İ@x")
@example("a@xn--zca.example")
@example("ΑΣ@x")
@settings(max_examples=500)
def test_the_normal_form_is_stable(text: str):
    try:
        jid = JID.parse(text)
    except JIDError:
        return
    assert JID.parse(str(jid)) == jid
    again = JID.parse(str(jid))
    assert (again.local, again.domain, again.resource) == (jid.local, jid.domain, jid.resource)


@given(
    st.from_regex(r"[!#-%(-.0-9;=?A-Z\[-~]{1,20}", fullmatch=True),
    st.text(st.characters(max_codepoint=126, min_codepoint=32), min_size=1),
)
def test_the_quick_path_agrees_with_precis(local: str, resource: str):
    from precis_i18n import get_profile

    jid = JID.parse(f"{local}@x/{resource}")
    assert jid.local == get_profile("UsernameCaseMapped").enforce(local)
    assert jid.resource == get_profile("OpaqueString").enforce(resource)
