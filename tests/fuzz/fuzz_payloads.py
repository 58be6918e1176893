"""Fuzz target: payloads of stanzas are read or refused with the errors of their layer, and are written as read."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lxml import etree

from parley.protocols.xmpp.caps import Caps, parse_caps, parse_disco_info, verification_string, verify
from parley.protocols.xmpp.dataforms import parse_form
from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.framing import ElementReceived, Framer, FramingLimits
from parley.protocols.xmpp.rsm import parse_page, parse_page_request
from parley.protocols.xmpp.stream_management import is_resume_asked, parse_h

LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
RSM = b"<set xmlns='http://jabber.org/protocol/rsm'>"

SEEDS = [
    b"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
    b"<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    b"<field var='with'><value>a@example.org</value></field>"
    b"<field var='start'><value>2024-01-01T00:00:00Z</value></field>"
    b"<field var='end'><value>0001-01-01T00:00:00+14:00</value></field>"
    b"<field var='ids'><value>1</value><value>2</value></field></x>" + RSM + b"<max>10</max><before/></set></query>",
    b"<q>" + RSM + b"<max>0</max><after>x</after><index>7</index></set></q>",
    b"<q>" + RSM + b"<first index='3'>a</first><last>b</last><count>9</count></set></q>",
    b"<x xmlns='jabber:x:data' type='form'><title>t&#13;</title><instructions>i</instructions>"
    b"<field type='fixed'><value>f</value></field>"
    b"<field var='l' type='list-single' label='L'><required/><value>1</value><option label='one'><value>1</value>"
    b"</option></field></x>",
    b"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://c.example' "
    b"ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>",
    b"<query xmlns='http://jabber.org/protocol/disco#info'>"
    b"<identity category='client' type='pc' name='E' xml:lang='el'/>"
    b"<feature var='http://jabber.org/protocol/caps'/><x xmlns='jabber:x:data' type='result'>"
    b"<field var='FORM_TYPE' type='hidden'><value>urn:f</value></field><field var='os'><value>Mac</value></field></x>"
    b"</query>",
    b"<a xmlns='urn:xmpp:sm:3' h='4294967295'/>",
    b"<enable xmlns='urn:xmpp:sm:3' resume='1'/>",
    b"2024-02-29T23:59:59.123456789-12:34",
    b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59-14:00",
]


def target(data: bytes) -> None:
    """Read `data` as a date, and as a payload whose every element is read as everything."""
    with suppress(PayloadError):
        at_us = parse_datetime(data.decode("latin-1"))
        assert parse_datetime(format_datetime(at_us)) == at_us
    for event in Framer("frame", LIMITS).feed(data):
        if isinstance(event, ElementReceived):
            with suppress(PayloadError):
                assert 0 <= parse_h(event.element) < 2**32
            assert is_resume_asked(event.element) in (True, False)
            with suppress(PayloadError):
                _read(event.element.tree())


def _read(tree: Any) -> None:
    for element in tree.iter():
        _returns(element, parse_form)
        _returns(element, parse_disco_info)
        _returns(element, parse_caps)
        _read_pages(element)
        with suppress(PayloadError):
            info = parse_disco_info(element)
            assert verify(info, Caps("sha-1", "n", verification_string(info))) in (True, False)


def _returns(element: Any, parse: Callable[[Any], Any]) -> None:
    with suppress(PayloadError):
        value = parse(element)
        assert parse(etree.fromstring(value.to_bytes())) == value


def _read_pages(element: Any) -> None:
    with suppress(PayloadError):
        asked = parse_page_request(element)
        assert parse_page_request(_inside(asked.to_bytes())) == asked
    with suppress(PayloadError):
        page = parse_page(element)
        if page.first is not None and page.last is not None:
            assert parse_page(_inside(page.to_bytes())) == page


def _inside(data: bytes) -> Any:
    return etree.fromstring(b"<q>" + data + b"</q>")


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
