"""XEP-0045 §10.1, §10.2, §10.9, §6, §7.8 to §7.11: options, the end, what is told of rooms, invitations, nicknames."""

from __future__ import annotations

import pytest

from ..harness import parse
from .guests import NS_MUC, ROOM, a_party, admin, config, done, full, refusal, shown, subject, told

FORBIDDEN = ("auth", "forbidden", "403")
GET_FORM = f"<iq type='get' id='f' to='{ROOM}'><query xmlns='{NS_MUC}#owner'/></iq>"


def values(stanza: str) -> dict[str, list[str]]:
    """The fields of the form in a stanza."""
    fields = parse(stanza).iter("{jabber:x:data}field")
    return {field.get("var"): [v.text or "" for v in field.iterchildren("{jabber:x:data}value")] for field in fields}


async def test_the_form_has_what_was_chosen() -> None:
    chosen = {
        "roomname": "A Dark Cave",
        "roomdesc": "The place",
        "lang": "en",
        "persistentroom": True,
        "publicroom": False,
        "membersonly": True,
        "moderatedroom": True,
        "passwordprotectedroom": True,
        "roomsecret": "cauldronburn",
        "changesubject": True,
        "allowinvites": True,
        "allowpm": "participants",
        "maxusers": "30",
        "presencebroadcast": ["moderator"],
        "getmemberlist": ["moderator", "participant"],
        "whois": "anyone",
        "enablelogging": True,
        "enablearchiving": False,
        "history": "7",
        "pubsub": "xmpp:pubsub.example.org?;node=x",
        "x_reservednick": True,
        "x_registration": False,
        "x_publicoccupants": True,
        "roomadmins": ["anna@example.org"],
        "roomowners": ["alice@example.org", "bob@example.org"],
    }
    async with a_party("alice", "bob") as party:
        await party.open("alice", **chosen)
        await party["alice"].send(GET_FORM)
        (form,) = party["alice"].take()
        found = values(form)
        for name, value in chosen.items():
            var = {"history": "muc#maxhistoryfetch"}.get(name) or (
                f"x-muc#roomconfig_{name[2:]}" if name.startswith("x_") else f"muc#roomconfig_{name}"
            )
            wanted = value if isinstance(value, list) else [str(int(value)) if isinstance(value, bool) else value]
            assert found[var] == wanted, var
        stored = await party.harness.storage.rooms.find(ROOM)
        # To submit what one was given changes nothing.
        fields = "".join(
            f"<field var='{var}'>{''.join(f'<value>{text}</value>' for text in texts)}</field>"
            for var, texts in found.items()
        )
        form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
        await party["alice"].send(
            f"<iq type='set' id='f' to='{ROOM}'><query xmlns='{NS_MUC}#owner'>{form}</query></iq>"
        )
        assert await party.harness.storage.rooms.find(ROOM) == stored


async def test_only_owners_configure_and_destroy() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        destroy = f"<iq type='set' id='d' to='{ROOM}'><query xmlns='{NS_MUC}#owner'><destroy/></query></iq>"
        for request in (GET_FORM, config(moderatedroom=True), destroy):
            await party["bob"].send(request)
            assert refusal(party["bob"]) == FORBIDDEN


BAD = [
    ({"passwordprotectedroom": True, "roomsecret": ""}, ("modify", "not-acceptable", "406")),
    ({"maxusers": "many"}, ("modify", "not-acceptable", "406")),
    ({"maxusers": "1000000"}, ("modify", "not-acceptable", "406")),
    ({"whois": "nobody knows"}, ("modify", "not-acceptable", "406")),
    ({"allowpm": "me"}, ("modify", "not-acceptable", "406")),
    ({"presencebroadcast": ["king"]}, ("modify", "not-acceptable", "406")),
    ({"roomname": "x" * 5000}, ("modify", "not-acceptable", "406")),
    ({"moderatedroom": "perhaps"}, ("modify", "bad-request", "400")),
    ({"roomowners": ["@"]}, ("modify", "jid-malformed", "400")),
    ({"roomowners": []}, ("cancel", "conflict", "409")),
]


@pytest.mark.parametrize(("options", "wanted"), BAD)
async def test_options_that_cannot_be(options: dict[str, object], wanted: tuple[str, str, str]) -> None:
    async with a_party("alice") as party:
        await party.open("alice")
        before = await party.harness.storage.rooms.find(ROOM)
        await party["alice"].send(config(**options))
        assert refusal(party["alice"]) == wanted
        assert await party.harness.storage.rooms.find(ROOM) == before


CODES = [
    ({"enablelogging": True}, (170,), (171,)),
    ({"whois": "anyone"}, (172,), (173,)),
    ({"roomname": "Other"}, (104,), (104,)),
    ({"whois": "anyone", "roomname": "Other"}, (172, 104), (173, 104)),
]


@pytest.mark.parametrize(("options", "codes", "back"), CODES)
async def test_everybody_is_told_that_the_options_changed(
    options: dict[str, object], codes: tuple[int, ...], back: tuple[int, ...]
) -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["alice"].send(config(**options))
        party["alice"].expect(done("alice", request="c"), told(*codes, to="alice"))
        party["bob"].expect(told(*codes, to="bob"))
        undone = {"enablelogging": False, "whois": "moderators", "roomname": ""}
        await party["alice"].send(config(**{name: undone[name] for name in options}))
        party["bob"].expect(told(*back, to="bob"))


async def test_nobody_is_told_of_options_that_stay_as_they_are() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob", roomname="Cave")
        await party["alice"].send(config(roomname="Cave", roomowners=["alice@example.org"]))
        party["alice"].expect(done("alice", request="c"))
        party["bob"].expect()


async def test_the_maker_of_a_room_hears_what_its_first_options_tell_of_people() -> None:
    """§10.2.1: a MUST for all occupants; the first presence said nothing of it."""
    async with a_party("alice") as party:
        await party.enter("alice")
        party.forget()
        await party["alice"].send(config(whois="anyone", enablelogging=True, roomname="Cave"))
        party["alice"].expect(done("alice", request="c"), told(170, 172, to="alice"))


async def test_whose_presence_is_broadcast_changes_who_is_seen() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol", moderatedroom=True)
        await party["alice"].send(config(presencebroadcast=["moderator"]))
        party["bob"].expect(shown("carol", to="bob", role="none", gone=True), told(104, to="bob"))
        party["alice"].expect(done("alice", request="c"), told(104, to="alice"))
        party.forget()
        await party["alice"].send(config(presencebroadcast=["moderator", "visitor"]))
        party["bob"].expect(shown("carol", to="bob", role="visitor"), told(104, to="bob"))


async def test_strangers_leave_a_room_that_becomes_members_only() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        await party.affiliate("alice", "carol", "member")
        await party.configure("alice", membersonly=True)
        party["bob"].expect(shown("bob", 110, 322, to="bob", role="none", gone=True))
        party["carol"].expect(shown("bob", 322, to="carol", role="none", gone=True), told(104, to="carol"))


async def test_owners_and_admins_by_the_form() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        await party["alice"].send(config(roomadmins=["bob@example.org"], roomowners=["alice@example.org"]))
        shown_to = {"role": "moderator", "affiliation": "admin", "by": "alice"}
        party["carol"].expect(shown("bob", to="carol", **shown_to), told(104, to="carol"))  # type: ignore[arg-type]
        await party["alice"].send(config(roomadmins=[], roomowners=["alice@example.org", "carol@example.org"]))
        assert 'affiliation="member"' in party["bob"].take()[-3]
        party.forget()
        await party["carol"].send(config(roomowners=["carol@example.org"]))
        assert 'affiliation="admin"' in party["alice"].take()[0]


async def test_the_end_of_a_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob", persistentroom=True)
        inside = "<reason>Macbeth doth come.</reason><password>x</password>"
        destroy = f"<destroy jid='heath@conference.example.org'>{inside}</destroy>"
        await party["alice"].send(
            f"<iq type='set' id='d' to='{ROOM}'><query xmlns='{NS_MUC}#owner'>{destroy}</query></iq>"
        )
        party["bob"].expect(shown("bob", 110, to="bob", role="none", gone=True, destroy=destroy))
        party["alice"].expect(
            shown("alice", 110, to="alice", role="none", gone=True, destroy=destroy), done("alice", request="d")
        )
        assert await party.harness.storage.rooms.find(ROOM) is None
        await party["bob"].send(f"<message type='groupchat' to='{ROOM}'><body>hi</body></message>")
        assert refusal(party["bob"]) == ("cancel", "item-not-found", "404")


def info(node: str = "") -> str:
    attribute = f" node='{node}'" if node else ""
    query = f"<query xmlns='http://jabber.org/protocol/disco#info'{attribute}/>"
    return f"<iq type='get' id='i' to='{ROOM}'>{query}</iq>"


async def test_what_a_room_says_of_itself() -> None:
    async with a_party("alice", "bob") as party:
        await party["bob"].send(info())
        assert refusal(party["bob"]) == ("cancel", "item-not-found", "404")
        await party.open("alice", roomname="Cave", roomdesc="Dark", lang="en", publicroom=False)
        await party["alice"].send(f"<message type='groupchat' to='{ROOM}'><subject>Spells</subject></message>")
        party.forget()
        await party["bob"].send(info())
        (answer,) = party["bob"].take()
        for feature in ("muc", "muc#stable_id", "muc#self-ping-optimization"):
            assert f'"http://jabber.org/protocol/{feature}"' in answer
        for feature in ("hidden", "temporary", "open", "unmoderated", "unsecured", "semianonymous"):
            assert f'"muc_{feature}"' in answer
        assert 'name="Cave"' in answer
        found = values(answer)
        assert found["FORM_TYPE"] == ["http://jabber.org/protocol/muc#roominfo"]
        assert found["muc#roominfo_description"] == ["Dark"]
        assert found["muc#roominfo_subject"] == ["Spells"]
        assert found["muc#roominfo_occupants"] == ["1"]
        assert found["muc#roominfo_lang"] == ["en"]
        assert found["muc#roominfo_subjectmod"] == found["muc#roomconfig_changesubject"] == ["0"]
        # XEP-0424 §5: who keeps tombstones MUST say so.
        assert '"urn:xmpp:message-retract:1#tombstone"' in answer
        await party["bob"].send(info("http://jabber.org/protocol/muc#traffic"))
        assert refusal(party["bob"]) == ("cancel", "service-unavailable", "503")


def items(to: str, extra: str = "") -> str:
    return f"<iq type='get' id='i' to='{to}'><query xmlns='http://jabber.org/protocol/disco#items'>{extra}</query></iq>"


async def test_hidden_rooms_are_in_no_list_and_lists_have_pages() -> None:
    service = "conference.example.org"
    async with a_party("alice", "bob") as party:
        for name in "abc":
            await party.open("alice", room=f"{name}@{service}", roomname=name.upper())
        await party.open("alice", room=f"hidden@{service}", publicroom=False)
        await party["bob"].send(items(service))
        (answer,) = party["bob"].take()
        found = [(item.get("jid"), item.get("name")) for item in parse(answer)[0]]
        assert found == [(f"{name}@{service}", name.upper()) for name in "abc"]
        await party["bob"].send(items(service, "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>"))
        (answer,) = party["bob"].take()
        assert [item.get("jid") for item in parse(answer)[0]][:2] == [f"a@{service}", f"b@{service}"]
        assert "<count>3</count>" in answer
        assert '<first index="0">' in answer
        after = f"<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>b@{service}</after></set>"
        await party["bob"].send(items(service, after))
        assert [item.get("jid") for item in parse(party["bob"].take()[0])[0]][:-1] == [f"c@{service}"]
        # XEP-0059 §2.3: backward, from the last page on.
        for before, wanted in (("<before/>", "bc"), (f"<before>b@{service}</before>", "a")):
            asked = f"<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>{before}</set>"
            await party["bob"].send(items(service, asked))
            listed = [item.get("jid") for item in parse(party["bob"].take()[0])[0]][:-1]
            assert listed == [f"{name}@{service}" for name in wanted]


async def test_the_service_and_new_names() -> None:
    async with a_party("alice") as party:
        query = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        await party["alice"].send(f"<iq type='get' id='i' to='conference.example.org'>{query}</iq>")
        (answer,) = party["alice"].take()
        assert '<identity category="conference" type="text"' in answer
        assert '"http://jabber.org/protocol/muc"' in answer
        assert '"http://jabber.org/protocol/muc#stable_id"' in answer
        names = set()
        for _ in range(2):
            unique = f"<unique xmlns='{NS_MUC}#unique'/>"
            await party["alice"].send(f"<iq type='get' id='u' to='conference.example.org'>{unique}</iq>")
            names.add(parse(party["alice"].take()[0])[0].text)
        assert len(names) == 2


async def test_who_is_inside_is_told_to_those_inside_and_to_others_where_the_owner_wants_it() -> None:
    """§6.5: such information is not shared by default."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "carol")
        for name, options, is_shown in (
            ("bob", {}, False),
            ("carol", {}, True),
            ("bob", {"x_publicoccupants": True}, True),
            ("bob", {"membersonly": True}, False),
        ):
            if options:
                await party.configure("alice", **options)
                party.forget()
            await party[name].send(items(ROOM))
            assert (f'jid="{ROOM}/alice"' in party[name].take()[0]) is is_shown
        await party["alice"].send(items(ROOM).replace("items'", "items' node='other'"))
        assert refusal(party["alice"]) == ("cancel", "item-not-found", "404")


async def test_what_is_talked_about_is_told_to_those_who_may_enter() -> None:
    """§13.4: the form of a room does not leak what is for its members."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "carol", roomdesc="Dark")
        await party["alice"].send(f"<message type='groupchat' to='{ROOM}'><subject>Spells</subject></message>")
        await party.affiliate("alice", "carol", "member")
        for options in (
            {"membersonly": True},
            {"membersonly": False, "passwordprotectedroom": True, "roomsecret": "s"},
        ):
            await party.configure("alice", **options)
            for name, knows in (("bob", False), ("carol", True)):
                party.forget()
                await party[name].send(info())
                found = values(party[name].take()[0])
                assert found["muc#roominfo_description"] == ["Dark"]
                assert ("muc#roominfo_subject" in found) is ("muc#roominfo_occupants" in found) is knows


def invite(*to: str, reason: str = "Come") -> str:
    invites = "".join(f"<invite to='{one}@example.org'><reason>{reason}</reason></invite>" for one in to)
    return f"<message to='{ROOM}'><x xmlns='{NS_MUC}#user'>{invites}</x></message>"


async def test_an_invitation_by_way_of_the_room_and_its_refusal() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", passwordprotectedroom=True, roomsecret="cauldronburn")
        await party["alice"].send(invite("bob"))
        mark = f"<x xmlns='{NS_MUC}#user'><invite from='alice@example.org'><reason>Come</reason></invite>"
        mark += "<password>cauldronburn</password></x>"
        mark += f"<x xmlns='jabber:x:conference' jid='{ROOM}' password='cauldronburn' reason='Come'/>"
        party["bob"].expect(f"<message id='*' from='{ROOM}' to='bob@example.org'>{mark}</message>")
        decline = "<decline to='alice@example.org'><reason>Busy</reason></decline>"
        await party["bob"].send(f"<message id='n' to='{ROOM}'><x xmlns='{NS_MUC}#user'>{decline}</x></message>")
        mark = f"<x xmlns='{NS_MUC}#user'><decline from='bob@example.org'><reason>Busy</reason></decline></x>"
        party["alice"].expect(f"<message id='n' from='{ROOM}' to='{full('alice')}'>{mark}</message>")
        assert (await party.harness.storage.rooms.find(ROOM)).standings.keys() == {"alice@example.org"}


async def test_invitations_that_are_refused() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        await party["carol"].send(invite("bob"))
        assert refusal(party["carol"]) == ("cancel", "not-acceptable", "406")
        await party.affiliate("alice", "bob", "member")
        await party.configure("alice", membersonly=True)
        party.forget()
        await party["bob"].send(invite("carol"))
        assert refusal(party["bob"]) == FORBIDDEN
        await party.configure("alice", allowinvites=True)
        party.forget()
        await party["bob"].send(invite("carol"))
        assert "invite" in party["carol"].take()[0]
        party.forget()
        await party["alice"].send(invite("nobody"))
        assert refusal(party["alice"]) == ("cancel", "item-not-found", "404")


async def test_an_invitation_to_a_members_only_room_makes_a_member() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", membersonly=True)
        await party["alice"].send(invite("bob"))
        party.forget()
        await party.enter("bob")
        assert 'affiliation="member"' in party["bob"].take()[1]


def register(nick: str = "", inside: str = "") -> str:
    fields = f"<field var='FORM_TYPE'><value>{NS_MUC}#register</value></field>"
    fields += f"<field var='muc#register_roomnick'><value>{nick}</value></field>"
    form = inside or f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
    return f"<iq type='set' id='r' to='{ROOM}'><query xmlns='jabber:iq:register'>{form}</query></iq>"


async def test_a_nickname_of_ones_own() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        await party["bob"].send(f"<iq type='get' id='r' to='{ROOM}'><query xmlns='jabber:iq:register'/></iq>")
        assert "muc#register_roomnick" in party["bob"].take()[0]
        await party["bob"].send(register("robert"))
        party["bob"].expect(done("bob", request="r"), shown("bob", 110, to="bob", affiliation="member"))
        await party["bob"].send(f"<iq type='get' id='r' to='{ROOM}'><query xmlns='jabber:iq:register'/></iq>")
        assert "<registered" in party["bob"].take()[0]
        await party["bob"].send(info("x-roomuser-item"))
        assert 'name="robert"' in party["bob"].take()[0]
        await party["carol"].ask(
            info("x-roomuser-item"),
            f"<iq type='result' id='i' from='{ROOM}' to='{full('carol')}'>"
            "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>",
        )
        await party.enter("carol", "robert")
        assert refusal(party["carol"]) == ("cancel", "conflict", "409")
        await party["carol"].send(register("robert"))
        assert refusal(party["carol"]) == ("cancel", "conflict", "409")
        for bad in (register(), register(inside="<x xmlns='jabber:x:data' type='submit'/>"), register(inside="<a/>")):
            await party["carol"].send(bad)
            assert refusal(party["carol"]) == ("modify", "bad-request", "400")
        await party["alice"].send(admin("<item jid='bob@example.org' affiliation='outcast'/>"))
        party.forget()
        await party["carol"].send(register("robert"))
        party["carol"].expect(done("carol", request="r"))


async def test_reserved_nicknames_only_and_no_registration() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        await party["bob"].send(register("robert"))
        await party.configure("alice", x_reservednick=True, x_registration=False)
        party.forget()
        await party.enter("bob", "bob")
        # §7.2.2: they come in, under the name that is theirs.
        bob = {"affiliation": "member", "to": "bob"}
        party["bob"].expect(
            shown("alice", to="bob", role="moderator", affiliation="owner"),
            shown("robert", 110, 210, **bob),
            subject("bob"),
        )
        party["alice"].expect(shown("robert", to="alice", affiliation="member", jid="bob"))
        await party.enter("bob", "bob")
        assert len(party["bob"].take()) == 3
        await party.enter("bob", "robert")
        assert 'code="210"' not in "".join(party["bob"].take())
        await party["bob"].send(f"<presence to='{ROOM}/bob'/>")
        assert refusal(party["bob"]) == ("cancel", "not-acceptable", "406")
        await party["bob"].send(register(inside="<remove/>"))
        party.forget()
        await party["bob"].send(register("robert"))
        assert refusal(party["bob"]) == ("cancel", "not-allowed", "405")
        await party["bob"].send(register("robert").replace(ROOM, f"x{ROOM}"))
        assert refusal(party["bob"]) == ("cancel", "item-not-found", "404")


async def test_who_is_inside_under_another_name_when_names_are_locked_gets_theirs_by_entering_again() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["bob"].send(register("robert"))
        await party.configure("alice", x_reservednick=True)
        party.forget()
        await party.enter("bob", "bob")
        party["alice"].expect(
            shown("bob", 303, to="alice", affiliation="member", jid="bob", new_nick="robert", gone=True),
            shown("robert", to="alice", affiliation="member", jid="bob"),
        )
        assert 'code="210"' in party["bob"].take()[1]


async def test_registration_is_offered_where_it_is_open() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice")
        await party.affiliate("alice", "carol", "member")
        for options, name, is_offered in (
            ({}, "bob", True),
            ({"membersonly": True}, "bob", False),
            ({}, "carol", True),
        ):
            await party.configure("alice", **options)
            party.forget()
            await party[name].send(info())
            assert ('"jabber:iq:register"' in party[name].take()[0]) is is_offered


async def test_the_picture_of_a_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        card = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>aGVs bG8=</BINVAL></PHOTO></vCard>"
        request = f"<iq type='set' id='v' to='{ROOM}'>{card}</iq>"
        await party["bob"].send(request)
        assert refusal(party["bob"]) == FORBIDDEN
        await party["alice"].ask(request, done("alice", request="v"), told(104, to="alice"))
        party.forget()
        await party["bob"].send(f"<iq type='get' id='v' to='{ROOM}'><vCard xmlns='vcard-temp'/></iq>")
        party["bob"].expect(f"<iq type='result' id='v' from='{ROOM}' to='{full('bob')}'>{card}</iq>")
        await party["bob"].send(info())
        assert values(party["bob"].take()[0])["muc#roominfo_avatarhash"] == ["aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"]
        await party["alice"].send(f"<iq type='set' id='v' to='{ROOM}'><vCard xmlns='vcard-temp'/></iq>")
        party.forget()
        await party["bob"].send(info())
        assert "avatarhash" not in party["bob"].take()[0]
