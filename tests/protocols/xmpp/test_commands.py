from __future__ import annotations

import pytest
from lxml import etree

from parley.protocols.xmpp.commands import (
    NS_COMMANDS,
    Action,
    CommandCondition,
    CommandReply,
    Note,
    NoteType,
    Status,
    parse_command,
    refusal,
)
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

SUBMITTED = "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field></x>"


def command(attrs: str, content: str = "") -> etree._Element:
    return etree.fromstring(f"<command xmlns='{NS_COMMANDS}' {attrs}>{content}</command>")


def test_execute_is_implied() -> None:
    request = parse_command(command("node='list'"))
    assert (request.node, request.action, request.session_id, request.form) == ("list", Action.EXECUTE, "", None)


def test_a_form_comes_along() -> None:
    request = parse_command(command("node='n' sessionid='s' action='next' xml:lang='de-AT'", SUBMITTED))
    assert (request.action, request.session_id) == (Action.NEXT, "s")
    assert request.form == Form("submit", (Field("a", ("1",)),))


def test_a_form_that_was_cancelled_is_none() -> None:
    assert parse_command(command("node='n'", "<x xmlns='jabber:x:data' type='cancel'/>")).form is None


@pytest.mark.parametrize(
    ("attrs", "content", "condition"),
    [
        ("node='n' action='jump'", "", "malformed-action"),
        ("node='n' action=''", "", "malformed-action"),
        ("node='n' xml:lang='not a language'", "", "bad-locale"),
        ("node='n'", "<x xmlns='urn:x'/>", "bad-payload"),
        ("node='n'", SUBMITTED * 2, "bad-payload"),
        ("node='n'", "<x xmlns='jabber:x:data' type='result'/>", "bad-payload"),
        ("node='n'", "<x xmlns='jabber:x:data' type='submit'><field/></x>", "bad-payload"),
        (f"node='n' sessionid='{'s' * 300}'", "", "bad-sessionid"),
    ],
)
def test_what_is_wrong_is_named(attrs: str, content: str, condition: str) -> None:
    with pytest.raises(StanzaError) as refused:
        parse_command(command(attrs, content))
    assert refused.value.condition is StanzaCondition.BAD_REQUEST
    assert f'<{condition} xmlns="{NS_COMMANDS}"/>'.encode() in refused.value.to_bytes()


def test_a_command_has_a_node() -> None:
    with pytest.raises(StanzaError) as refused:
        parse_command(command(""))
    assert refused.value.condition is StanzaCondition.BAD_REQUEST


def test_a_session_that_is_over_is_not_allowed() -> None:
    error = refusal(CommandCondition.SESSION_EXPIRED)
    assert error.condition is StanzaCondition.NOT_ALLOWED
    assert b'type="cancel"' in error.to_bytes()


def test_replies() -> None:
    reply = CommandReply(
        "n",
        "s",
        Status.EXECUTING,
        Form("form", (Field("a"),)),
        (Note("mind", NoteType.WARN),),
        (Action.PREV, Action.NEXT),
        Action.NEXT,
    )
    assert reply.to_bytes() == (
        b'<command xmlns="http://jabber.org/protocol/commands" node="n" sessionid="s" status="executing"'
        b' xml:lang="en"><actions execute="next"><prev/><next/></actions><note type="warn">mind</note>'
        b'<x xmlns="jabber:x:data" type="form"><field var="a"/></x></command>'
    )
