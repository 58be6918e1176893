from __future__ import annotations

import pytest
from lxml import etree

from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.registration import (
    Submission,
    account_uri,
    contact_uri,
    fields,
    is_registration,
    parse_submission,
    registered,
)

FORM = (
    "<x xmlns='jabber:x:data' type='{0}'><field var='FORM_TYPE'><value>{1}</value></field>"
    "<field var='username'><value>bill</value></field><field var='password'><value>Calliope</value></field></x>"
)


def query(content: str) -> etree._Element:
    return etree.fromstring(f"<query xmlns='jabber:iq:register'>{content}</query>")


def test_plain_fields_and_forms() -> None:
    plain = "<username>bill</username><password>Calliope</password>"
    wanted = Submission("bill", "Calliope")
    assert parse_submission(query(plain)) == wanted
    assert parse_submission(query(FORM.format("submit", "jabber:iq:register"))) == wanted
    # XEP-0077 §4: the form takes precedence.
    assert parse_submission(query("<username>other</username>" + FORM.format("submit", "jabber:iq:register"))) == wanted
    assert parse_submission(query("")) == Submission(None, None)


def test_a_removal_stands_alone() -> None:
    assert parse_submission(query("<remove/>")).is_removal
    with pytest.raises(PayloadError):
        parse_submission(query("<remove/><username>bill</username>"))


@pytest.mark.parametrize("form", [FORM.format("result", "jabber:iq:register"), FORM.format("submit", "urn:other")])
def test_other_forms_are_refused(form: str) -> None:
    with pytest.raises(PayloadError):
        parse_submission(query(form))


def test_what_is_asked_for() -> None:
    asked = fields("Choose.", "bill")
    assert asked.startswith(b'<query xmlns="jabber:iq:register"><instructions>Choose.</instructions>')
    assert b"<username>bill</username><password/>" in asked
    assert b"<value>bill</value>" in asked
    told = registered("bill")
    assert b"<registered/><instructions>" in told
    assert b"</instructions><username>bill</username><password/>" in told


def test_which_stanzas_may_come_early() -> None:
    def early(text: str) -> bool:
        return is_registration(Element.from_bytes(text.encode()))

    assert early("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>")
    assert early("<iq type='set' id='1'><preauth xmlns='urn:xmpp:pars:0' token='t'/></iq>")
    assert not early("<iq type='result' id='1'><query xmlns='jabber:iq:register'/></iq>")
    assert not early("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
    assert not early("<iq type='get' id='1'/>")
    assert not early("<message><query xmlns='jabber:iq:register'/></message>")


def test_addresses_of_invitations() -> None:
    assert account_uri("juliet@example.com", "TOKEN") == "xmpp:juliet@example.com?register;preauth=TOKEN"
    assert account_uri("example.com", "TOKEN") == "xmpp:example.com?register;preauth=TOKEN"
    assert contact_uri("romeo@example.com", "T", is_account=True) == "xmpp:romeo@example.com?roster;preauth=T;ibr=y"
    assert contact_uri("romeo@example.com", "T", is_account=False) == "xmpp:romeo@example.com?roster;preauth=T"
    assert account_uri("jürgen?#;@example.com", "T") == "xmpp:j%C3%BCrgen%3F%23%3B@example.com?register;preauth=T"
