"""Bounds of one session hold at the number that the settings give."""

from __future__ import annotations

import pytest

from .wires import HEADER, an_edge


def with_attributes(count: int) -> str:
    """A message whose payload has so many."""
    attributes = " ".join(f"a{number}='b'" for number in range(count))
    return f"<message to='bob@example.org'><a xmlns='x' {attributes}/></message>"


@pytest.mark.parametrize(
    ("limits", "fits", "too_much", "refusal"),
    [
        (
            {"max_directed_presences": 2},
            "<presence to='bob@example.org'/><presence to='carol@example.org/x'/>",
            "<presence to='carol@example.org'/>",
            "<resource-constraint",
        ),
        (
            {"max_request_bytes": 1024},
            "<presence to='bob@example.org' type='subscribe'/>",
            f"<presence to='bob@example.org' type='subscribe'><status>{'x' * 1024}</status></presence>",
            "<not-acceptable",
        ),
        (
            {"max_roster_groups": 2},
            "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'>"
            "<group>a</group><group>b</group></item></query></iq>",
            "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'>"
            "<group>a</group><group>b</group><group>c</group></item></query></iq>",
            "<not-acceptable",
        ),
        (
            {"max_attributes": 16},
            with_attributes(15),
            with_attributes(18),
            "<policy-violation",
        ),
        (
            {"max_children": 64},
            f"<message to='bob@example.org'>{'<a/>' * 64}</message>",
            f"<message to='bob@example.org'>{'<a/>' * 65}</message>",
            "<policy-violation",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_is_over_a_bound_is_refused(
    limits: dict[str, object], fits: str, too_much: str, refusal: str
) -> None:
    async with an_edge(limits=limits) as edge:
        wire = edge.open()
        await edge.sign_in(wire, header=HEADER)
        answer = await edge.say(wire, fits)
        assert "error" not in answer
        assert refusal in await edge.say(wire, too_much)


async def test_items_of_an_answer_are_bounded() -> None:
    async with an_edge(pep={"max_answer_bytes": 1024}) as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        options = (
            "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
            "<field var='pubsub#max_items'><value>max</value></field></x></publish-options>"
        )
        for number in range(4):
            item = f"<item id='{number}'><a xmlns='x'>{'y' * 400}</a></item>"
            publish = f"<publish node='n'>{item}</publish>{options}"
            await edge.say(
                wire,
                f"<iq type='set' id='p{number}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{publish}</pubsub></iq>",
            )
        ask = "<iq type='get' id='g'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'/></pubsub></iq>"
        answer = await edge.say(wire, ask)
        assert answer.count("<item ") == 2
        assert "<last>3</last>" in answer
