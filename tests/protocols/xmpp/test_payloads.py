import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from parley.protocols.xmpp.caps import (
    Caps,
    DiscoInfo,
    Identity,
    parse_caps,
    parse_disco_info,
    verification_string,
    verify,
)
from parley.protocols.xmpp.dataforms import Field, Form, find_form, parse_form, submission
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.rsm import Page, PageRequest, parse_page, parse_page_request

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
filled = texts.filter(bool)
counts = st.one_of(st.none(), st.integers(0, 9_999_999_999))


def inside(*children: bytes) -> etree._Element:
    return etree.fromstring(b"<query xmlns='urn:q'>" + b"".join(children) + b"</query>")


@given(
    st.one_of(
        st.builds(PageRequest, counts),
        st.builds(PageRequest, counts, filled),
        st.builds(PageRequest, counts, before=texts),
        st.builds(PageRequest, counts, index=counts),
    )
)
def test_page_requests_come_back(request: PageRequest):
    assert parse_page_request(inside(request.to_bytes())) == request


@given(st.one_of(st.builds(Page, filled, filled, counts, counts), st.builds(Page, count=counts)))
def test_pages_come_back(page: Page):
    assert parse_page(inside(page.to_bytes())) == page


def test_no_set_asks_for_everything():
    assert parse_page_request(inside()) == PageRequest()
    assert parse_page(inside()) == Page()
    assert parse_page_request(inside(b"<set xmlns='http://jabber.org/protocol/rsm'><after/></set>")) == PageRequest()


@pytest.mark.parametrize(
    "content",
    [
        b"<max>x</max>",
        b"<max/>",
        b"<max>-1</max>",
        b"<max>99999999999</max>",
        "<max>٣</max>".encode(),
        b"<index>1.5</index>",
        b"<after>a</after><before>b</before>",
        b"<after>a</after><index>1</index>",
    ],
)
def test_pages_that_make_no_sense_are_refused(content: bytes):
    with pytest.raises(PayloadError):
        parse_page_request(inside(b"<set xmlns='http://jabber.org/protocol/rsm'>" + content + b"</set>"))


fields = st.builds(
    Field,
    filled,
    st.lists(texts, max_size=3).map(tuple),
    st.sampled_from(["", "hidden", "boolean", "text-multi", "list-single"]),
    texts,
    st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    st.booleans(),
)
forms = st.builds(
    Form,
    st.sampled_from(["form", "submit", "cancel", "result"]),
    st.lists(fields, max_size=4).map(tuple),
    texts,
    st.lists(texts, max_size=2).map(tuple),
)


@given(forms)
def test_forms_come_back(form: Form):
    assert parse_form(etree.fromstring(form.to_bytes())) == form


def test_values_of_a_form():
    form = submission("urn:options", access="open", persist="1", deliver="maybe")
    assert form.form_type == "urn:options"
    assert (form.value("access"), form.value("other")) == ("open", None)
    assert (form.flag("persist"), form.flag("other")) == (True, None)
    with pytest.raises(PayloadError):
        form.flag("deliver")
    tree = inside(Form("form").to_bytes(), form.to_bytes())
    assert find_form(tree, "urn:options") == form
    assert find_form(tree) == Form("form")
    assert find_form(tree, "urn:others") is None


@pytest.mark.parametrize(
    "data",
    [
        b"<x xmlns='jabber:x:data'/>",
        b"<x xmlns='jabber:x:data' type='joke'/>",
        b"<x type='form'/>",
        b"<x xmlns='jabber:x:data' type='form'><field/></x>",
    ],
)
def test_forms_that_are_none_are_refused(data: bytes):
    with pytest.raises(PayloadError):
        parse_form(etree.fromstring(data))


def test_a_fixed_field_needs_no_name():
    assert parse_form(etree.fromstring(b"<x xmlns='jabber:x:data' type='form'><field type='fixed'/></x>")).fields == (
        Field("", (), "fixed"),
    )


FEATURES = (
    "http://jabber.org/protocol/muc",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/caps",
)
SIMPLE = DiscoInfo((Identity("client", "pc", "", "Exodus 0.9.1"),), FEATURES)  # XEP-0115 §5.2
COMPLEX = DiscoInfo(  # XEP-0115 §5.3
    (Identity("client", "pc", "en", "Psi 0.11"), Identity("client", "pc", "el", "Ψ 0.11")),
    FEATURES,
    (
        Form(
            "result",
            (
                Field("FORM_TYPE", ("urn:xmpp:dataforms:softwareinfo",), "hidden"),
                Field("ip_version", ("ipv6", "ipv4")),
                Field("os", ("Mac",)),
                Field("os_version", ("10.5.1",)),
                Field("software", ("Psi",)),
                Field("software_version", ("0.11",)),
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    ("info", "ver"), [(SIMPLE, "QgayPKawpkPSDYmwT/WM94uAlu0="), (COMPLEX, "q07IKJEyjvHSyhy//CH0CxmKi8w=")]
)
def test_the_examples_of_the_xep(info: DiscoInfo, ver: str):
    assert verification_string(info) == ver
    assert verify(info, Caps("sha-1", "http://x", ver))
    assert not verify(info, Caps("sha-1", "http://x", "x" + ver[1:]))
    assert verify(info, Caps("sha-256", "http://x", verification_string(info, "sha-256")))
    assert parse_disco_info(etree.fromstring(info.to_bytes("http://x#" + ver))) == info


def test_the_order_in_an_answer_does_not_matter():
    turned = DiscoInfo(COMPLEX.identities[::-1], COMPLEX.features[::-1], COMPLEX.forms)
    assert verification_string(turned) == verification_string(COMPLEX)


def with_changes(**changes: object) -> DiscoInfo:
    parts = {"identities": COMPLEX.identities, "features": COMPLEX.features, "forms": COMPLEX.forms} | changes
    return DiscoInfo(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "info",
    [
        with_changes(identities=COMPLEX.identities * 2),
        with_changes(features=COMPLEX.features * 2),
        with_changes(forms=COMPLEX.forms * 2),
        with_changes(forms=(Form("result", (Field("FORM_TYPE", ("a", "b"), "hidden"),)),)),
        with_changes(identities=(Identity("client", "pc", "", "x<y"),)),
    ],
)
def test_ambiguous_answers_are_not_remembered(info: DiscoInfo):
    try:
        ver = verification_string(info)
    except PayloadError:
        ver = "x"
    assert not verify(info, Caps("sha-1", "http://x", ver))


def test_forms_without_a_hidden_type_do_not_count():
    plain = Form("result", (Field("FORM_TYPE", ("urn:x",), "text-single"), Field("a", ("b",))))
    assert verification_string(with_changes(forms=(*COMPLEX.forms, plain, Form("result")))) == verification_string(
        COMPLEX
    )


def test_caps_are_read():
    caps = Caps("sha-1", "http://x", "abc=")
    assert parse_caps(etree.fromstring(caps.to_bytes())) == caps
    assert not verify(SIMPLE, Caps("", "http://x", "1.0"))
    for data in (b"<c xmlns='http://jabber.org/protocol/caps' node='x'/>", b"<c node='x' ver='y'/>"):
        with pytest.raises(PayloadError):
            parse_caps(etree.fromstring(data))
