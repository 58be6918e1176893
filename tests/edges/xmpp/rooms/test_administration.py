"""XEP-0045 §8 and §9 and §10.3 to §10.8: roles and affiliations, asked for and changed, allowed and refused."""

from __future__ import annotations

import pytest

from ..harness import parse
from .guests import NS_MUC, ROOM, Party, a_party, admin, done, full, refusal, shown

FORBIDDEN = ("auth", "forbidden", "403")
NOT_ALLOWED = ("cancel", "not-allowed", "405")
CONFLICT = ("cancel", "conflict", "409")


def role(nick: str, wanted: str, reason: str = "") -> str:
    inside = f"<reason>{reason}</reason>" if reason else ""
    return admin(f"<item nick='{nick}' role='{wanted}'>{inside}</item>")


def affiliation(name: str, wanted: str) -> str:
    return admin(f"<item jid='{name}@example.org' affiliation='{wanted}'/>")


async def test_a_kick_is_told_to_the_kicked_then_to_the_moderator_then_to_all() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        await party["alice"].send(role("bob", "none", "Avaunt"))
        gone = {"role": "none", "gone": True, "by": "alice", "reason": "Avaunt"}
        party["bob"].expect(shown("bob", 110, 307, to="bob", **gone))  # type: ignore[arg-type]
        party["alice"].expect(done("alice"), shown("bob", 307, to="alice", jid="bob", **gone))  # type: ignore[arg-type]
        party["carol"].expect(shown("bob", 307, to="carol", **gone))  # type: ignore[arg-type]
        await party.enter("bob")
        assert len(party["bob"].take()) == 4


async def test_a_moderator_moderates_from_any_client() -> None:
    """§8: it is the bare address that a request is to be of."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        await party["alice"].send(role("bob", "moderator"))
        await party.connect("bob/phone")
        party.forget()
        await party["bob/phone"].send(admin("<item role='participant'/>", kind="get"))
        assert 'nick="carol"' in party["bob/phone"].take()[0]
        await party["bob/phone"].send(role("carol", "visitor"))
        assert refusal(party["bob/phone"]) == NOT_ALLOWED
        await party["bob/phone"].send(role("carol", "none"))
        party["bob/phone"].expect(done("bob/phone"))
        party["carol"].expect(shown("carol", 110, 307, to="carol", role="none", gone=True, by="bob"))


async def test_who_kicks_themselves_is_out_before_they_hear_that_it_is_done() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["alice"].send(role("alice", "none"))
        gone = shown(
            "alice", 110, 307, to="alice", role="none", affiliation="owner", jid="alice", gone=True, by="alice"
        )
        party["alice"].expect(gone, done("alice"))
        party["bob"].expect(shown("alice", 307, to="bob", role="none", affiliation="owner", gone=True, by="alice"))


# Who is what: alice owner, anna admin, mona a moderator without affiliation, mark a moderator and member,
# paul and vera without affiliation, the latter without voice, mike a member.
KICKS = [
    ("alice", "anna", None),
    ("anna", "mona", None),
    ("anna", "mike", None),
    ("anna", "alice", NOT_ALLOWED),
    ("mona", "paul", None),
    ("mona", "mona", None),
    ("vera", "vera", FORBIDDEN),
    ("mona", "anna", NOT_ALLOWED),
    ("mona", "alice", NOT_ALLOWED),
    ("mona", "mike", NOT_ALLOWED),
    ("mark", "mike", None),
    ("mark", "mona", NOT_ALLOWED),
    ("paul", "vera", FORBIDDEN),
    ("mike", "paul", FORBIDDEN),
]
VOICE = [
    ("mona", "vera", "participant", None),
    ("alice", "paul", "visitor", None),
    ("mark", "paul", "visitor", None),
    ("mark", "mike", "visitor", NOT_ALLOWED),
    ("mona", "paul", "visitor", NOT_ALLOWED),
    ("anna", "alice", "visitor", NOT_ALLOWED),
    ("alice", "anna", "visitor", NOT_ALLOWED),
    ("paul", "vera", "participant", FORBIDDEN),
    ("anna", "paul", "moderator", None),
    ("mona", "paul", "moderator", FORBIDDEN),
    ("anna", "mona", "participant", None),
    ("mark", "mona", "participant", FORBIDDEN),
    ("alice", "anna", "participant", NOT_ALLOWED),
    ("anna", "alice", "participant", NOT_ALLOWED),
]
CROWD = ("alice", "anna", "mona", "mark", "paul", "vera", "mike")


async def _crowd(party) -> None:  # type: ignore[no-untyped-def]
    await party.open("alice", "anna", "mona", "mark", "paul", "vera", "mike")
    await party.affiliate("alice", "anna", "admin")
    await party.affiliate("alice", "mark", "member")
    await party.affiliate("alice", "mike", "member")
    for nick, wanted in (("mona", "moderator"), ("mark", "moderator"), ("vera", "visitor")):
        await party["alice"].send(role(nick, wanted))
    party.forget()


@pytest.mark.parametrize(("by", "whom", "wanted"), KICKS)
async def test_who_may_kick_whom(by: str, whom: str, wanted: tuple[str, str, str] | None) -> None:
    async with a_party(*CROWD) as party:
        await _crowd(party)
        await party[by].send(role(whom, "none"))
        if wanted is None:
            assert any('code="307"' in stanza for stanza in party[whom].take())
        else:
            assert refusal(party[by]) == wanted
            party[whom].expect()


@pytest.mark.parametrize(("by", "whom", "to", "wanted"), VOICE)
async def test_who_may_change_whose_role(by: str, whom: str, to: str, wanted: tuple[str, str, str] | None) -> None:
    async with a_party(*CROWD) as party:
        await _crowd(party)
        await party[by].send(role(whom, to, "because"))
        if wanted is None:
            assert party[by].take()[0].startswith('<iq type="result"')
            presence = party[whom].take()[0]
            assert f'role="{to}"' in presence
            assert "because" in presence
        else:
            assert refusal(party[by]) == wanted
            party[whom].expect()


AFFILIATIONS = [
    # by, whom, to, refusal
    ("alice", "paul", "owner", None),
    ("alice", "paul", "admin", None),
    ("alice", "anna", "member", None),
    ("alice", "anna", "outcast", None),
    ("anna", "paul", "member", None),
    ("anna", "mike", "none", None),
    ("anna", "mike", "outcast", None),
    ("anna", "alice", "outcast", NOT_ALLOWED),
    ("anna", "alice", "member", FORBIDDEN),
    ("anna", "paul", "admin", FORBIDDEN),
    ("anna", "paul", "owner", FORBIDDEN),
    ("mark", "paul", "member", FORBIDDEN),
    ("paul", "vera", "outcast", FORBIDDEN),
    ("alice", "alice", "outcast", CONFLICT),
    ("anna", "anna", "outcast", CONFLICT),
    ("alice", "alice", "admin", CONFLICT),
    ("alice", "alice", "none", CONFLICT),
]


@pytest.mark.parametrize(("by", "whom", "to", "wanted"), AFFILIATIONS)
async def test_who_may_change_whose_affiliation(
    by: str, whom: str, to: str, wanted: tuple[str, str, str] | None
) -> None:
    async with a_party(*CROWD) as party:
        await _crowd(party)
        before = await party.harness.storage.rooms.find(ROOM)
        await party[by].send(affiliation(whom, to))
        after = await party.harness.storage.rooms.find(ROOM)
        if wanted is None:
            own = [parse(stanza) for stanza in party[whom].take() if f'from="{ROOM}/{whom}"' in stanza]
            assert own[-1].find(f"{{{NS_MUC}#user}}x")[0].get("affiliation") == to
            assert after != before
        else:
            assert refusal(party[by]) == wanted
            assert after == before


async def test_an_owner_may_go_where_there_is_another_one() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.affiliate("alice", "bob", "owner")
        await party["alice"].send(affiliation("alice", "none"))
        # What made her a moderator is gone, and so she is what she would enter as.
        party["alice"].expect(done("alice"), shown("alice", 110, to="alice", by="alice"))
        party["bob"].expect(shown("alice", to="bob", jid="alice", by="alice"))


async def test_new_affiliations_bring_roles() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob", moderatedroom=True)
        for wanted, brings in (("member", "participant"), ("admin", "moderator"), ("member", "participant")):
            await party["alice"].send(affiliation("bob", wanted))
            presence = party["bob"].take()[0]
            assert f'affiliation="{wanted}"' in presence
            assert f'role="{brings}"' in presence


async def test_a_new_moderator_is_told_the_real_addresses_of_those_inside() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        await party["alice"].send(role("bob", "moderator"))
        party["bob"].expect(
            shown("bob", 110, to="bob", role="moderator", jid="bob", by="alice"),
            shown("alice", to="bob", role="moderator", affiliation="owner", jid="alice"),
            shown("carol", to="bob", jid="carol"),
        )
        party["carol"].expect(shown("bob", to="carol", role="moderator", by="alice"))


async def test_a_new_moderator_of_a_room_where_addresses_show_knows_everybody_already() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol", whois="anyone")
        await party["alice"].send(role("bob", "moderator"))
        party["bob"].expect(shown("bob", 110, to="bob", role="moderator", jid="bob", by="alice"))


async def test_a_new_moderator_is_shown_those_who_are_not_shown_to_all() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol", whois="anyone", presencebroadcast=["moderator"])
        await party["alice"].send(role("bob", "moderator"))
        told = [parse(stanza).get("from") for stanza in party["bob"].take()]
        assert told == [f"{ROOM}/bob", f"{ROOM}/alice", f"{ROOM}/carol"]


async def test_who_moderates_no_longer_sees_no_more_than_others_do() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol", presencebroadcast=["moderator"])
        await party["alice"].send(role("bob", "moderator"))
        party.forget()
        await party["alice"].send(role("bob", "participant"))
        party["bob"].expect(shown("bob", 110, to="bob", by="alice"), shown("carol", to="bob", role="none", gone=True))


async def test_a_ban() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        item = "<item jid='bob@example.org' affiliation='outcast'><reason>Treason</reason></item>"
        await party["alice"].send(admin(item))
        gone = {"role": "none", "affiliation": "outcast", "gone": True, "by": "alice", "reason": "Treason"}
        party["bob"].expect(shown("bob", 110, 301, to="bob", **gone))  # type: ignore[arg-type]
        party["alice"].expect(done("alice"), shown("bob", 301, to="alice", jid="bob", **gone))  # type: ignore[arg-type]
        party["carol"].expect(shown("bob", 301, to="carol", **gone))  # type: ignore[arg-type]
        listed = "<item affiliation='outcast' jid='bob@example.org'><reason>Treason</reason></item>"
        answer = f"<iq type='result' id='q' from='{ROOM}' to='{full('alice')}'>"
        answer += f"<query xmlns='{NS_MUC}#admin'>{listed}</query></iq>"
        await party["alice"].ask(admin("<item affiliation='outcast'/>", kind="get"), answer)
        await party["carol"].send(admin("<item affiliation='outcast'/>", kind="get"))
        assert refusal(party["carol"]) == FORBIDDEN


async def test_who_loses_membership_leaves_a_members_only_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", membersonly=True)
        await party.affiliate("alice", "bob", "member")
        await party.enter("bob")
        party.forget()
        await party["alice"].send(affiliation("bob", "none"))
        party["bob"].expect(shown("bob", 110, 321, to="bob", role="none", gone=True, by="alice"))
        party["alice"].expect(
            done("alice"), shown("bob", 321, to="alice", role="none", jid="bob", gone=True, by="alice")
        )


async def test_somebody_who_is_not_there_hears_of_it() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        await party["alice"].send(affiliation("bob", "member"))
        item = "<item affiliation='member' role='none' jid='bob@example.org'>{}</item>"
        status = "<status code='101'/>"
        mark = f"<x xmlns='{NS_MUC}#user'>{item.format('')}{status}</x>"
        party["bob"].expect(f"<message from='{ROOM}' to='bob@example.org'>{mark}</message>")
        actor = "<actor nick='alice'/>"
        mark = f"<x xmlns='{NS_MUC}#user'>{item.format(actor)}</x>"
        party["alice"].expect(done("alice"), f"<message id='*' from='{ROOM}' to='{full('alice')}'>{mark}</message>")


async def test_a_new_member_of_a_members_only_room_is_invited() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", membersonly=True, passwordprotectedroom=True, roomsecret="cauldronburn")
        await party["alice"].send(affiliation("bob", "member"))
        (invitation,) = party["bob"].take()
        assert '<invite from="alice@example.org"' in invitation
        assert "<password>cauldronburn</password>" in invitation


LISTS = [
    ("bob", "owner", FORBIDDEN),
    ("anna", "owner", FORBIDDEN),
    ("anna", "admin", FORBIDDEN),
    ("anna", "member", None),
    ("alice", "owner", None),
    ("bob", "member", FORBIDDEN),
]


@pytest.mark.parametrize(("by", "listed", "wanted"), LISTS)
async def test_who_may_see_which_list(by: str, listed: str, wanted: tuple[str, str, str] | None) -> None:
    async with a_party("alice", "anna", "bob") as party:
        await party.open("alice", "bob")
        await party.affiliate("alice", "anna", "admin")
        await party.affiliate("alice", "bob", "member")
        await party[by].send(admin(f"<item affiliation='{listed}'/>", kind="get"))
        if wanted:
            assert refusal(party[by]) == wanted
        else:
            (answer,) = party[by].take()
            assert answer.count(f'affiliation="{listed}"') == 1
            assert "role=" not in answer


async def test_members_of_a_room_that_is_not_anonymous_see_whom_to_encrypt_for() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", membersonly=True, whois="anyone")
        await party.affiliate("alice", "bob", "member")
        for listed, wanted in (("owner", "alice@"), ("admin", "<query"), ("member", "bob@")):
            await party["bob"].send(admin(f"<item affiliation='{listed}'/>", kind="get"))
            (answer,) = party["bob"].take()
            assert wanted in answer
            assert "error" not in answer
        await party["carol"].send(admin("<item affiliation='member'/>", kind="get"))
        assert refusal(party["carol"]) == FORBIDDEN
        # §5.2.1: where addresses are hidden, the list would show them.
        await party.configure("alice", whois="moderators")
        await party["bob"].send(admin("<item affiliation='member'/>", kind="get"))
        assert refusal(party["bob"]) == FORBIDDEN


async def test_lists_of_roles() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        item = f"<item affiliation='none' jid='{full('bob')}' nick='bob' role='participant'/>"
        answer = f"<iq type='result' id='q' from='{ROOM}' to='{full('alice')}'>"
        answer += f"<query xmlns='{NS_MUC}#admin'>{item}</query></iq>"
        await party["alice"].ask(admin("<item role='participant'/>", kind="get"), answer)
        await party["bob"].send(admin("<item role='participant'/>", kind="get"))
        assert refusal(party["bob"]) == FORBIDDEN


BAD = [
    ("<item nick='bob' role='none' affiliation='none'/>", ("modify", "bad-request", "400")),
    ("<item nick='bob'/>", ("modify", "bad-request", "400")),
    ("<item role='participant'/>", ("modify", "bad-request", "400")),
    ("<item affiliation='member'/>", ("modify", "bad-request", "400")),
    ("<item nick='bob' role='king'/>", ("modify", "bad-request", "400")),
    ("<item jid='@' affiliation='member'/>", ("modify", "jid-malformed", "400")),
    ("<item nick='nobody' role='participant'/>", ("cancel", "item-not-found", "404")),
    ("<item nick='nobody' affiliation='member'/>", ("cancel", "item-not-found", "404")),
    ("<item jid='bob@example.org' affiliation='member' nick=' '/>", ("modify", "jid-malformed", "400")),
    ("", ("modify", "bad-request", "400")),
]


@pytest.mark.parametrize(("item", "wanted"), BAD)
async def test_requests_that_make_no_sense(item: str, wanted: tuple[str, str, str]) -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["alice"].send(admin(item))
        assert refusal(party["alice"]) == wanted


async def test_many_changes_are_made_all_or_none() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol")
        good = "<item jid='bob@example.org' affiliation='member'/>"
        await party["alice"].send(admin(good, "<item jid='alice@example.org' affiliation='outcast'/>"))
        assert refusal(party["alice"]) == CONFLICT
        party["bob"].expect()
        await party["alice"].send(admin(good, "<item nick='carol' affiliation='admin'/>"))
        assert 'affiliation="member"' in party["bob"].take()[0]
        assert 'affiliation="admin"' in party["carol"].take()[1]


async def test_moderators_by_their_full_addresses() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["alice"].send(admin(f"<item jid='{full('bob')}' role='moderator'/>"))
        party["bob"].expect(
            shown("bob", 110, to="bob", role="moderator", jid="bob", by="alice"),
            shown("alice", to="bob", role="moderator", affiliation="owner", jid="alice"),
        )


async def _nicks(party: Party) -> dict[str, str | None]:
    """The members and the nicknames that are theirs."""
    await party["alice"].send(admin("<item affiliation='member'/>", kind="get"))
    items = parse(party["alice"].take()[-1]).iter(f"{{{NS_MUC}#admin}}item")
    return {item.get("jid"): item.get("nick") for item in items}


async def test_a_nickname_is_reserved_kept_and_given_back_by_the_list_of_members() -> None:
    """§9.3, §9.5: an item with `nick` reserves it, one without keeps it, an empty one takes it away."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice")
        for attribute, wanted in ((" nick='thirdwitch'", "thirdwitch"), ("", "thirdwitch"), (" nick=''", None)):
            item = f"<item jid='bob@example.org' affiliation='member'{attribute}/>"
            await party["alice"].send(admin(item))
            assert await _nicks(party) == {"bob@example.org": wanted}
            await party.enter("carol", "thirdwitch")
            is_free = "conflict" not in party["carol"].take()[0]
            assert is_free is (wanted is None)


async def test_somebody_is_found_by_the_nickname_that_is_reserved() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["alice"].send(admin("<item jid='carol@example.org' affiliation='member' nick='hag'/>"))
        await party["alice"].send(admin("<item nick='hag' affiliation='none'/>"))
        assert await _nicks(party) == {}


async def test_nobody_else_finds_out_who_has_a_nickname() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        for nick in ("bob", "nobody"):
            await party["carol"].send(admin(f"<item nick='{nick}' affiliation='member'/>"))
            assert refusal(party["carol"]) == FORBIDDEN


async def test_who_removes_their_own_membership_hears_that_it_is_done_first() -> None:
    """§9.1 to §9.5: unlike a kick."""
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob", membersonly=False)
        await party.affiliate("alice", "bob", "owner")
        await party.configure("alice", membersonly=True)
        party.forget()
        await party["alice"].send(affiliation("alice", "none"))
        gone = shown("alice", 110, 321, to="alice", role="none", jid="alice", gone=True, by="alice")
        party["alice"].expect(done("alice"), gone)
