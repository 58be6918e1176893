"""XEP-0045 §7.2 to §7.7, §7.14 and §10.1: coming, changing, going; rooms that come and go with it."""

from __future__ import annotations

from parley.base.config.rooms import RoomSettings

from .guests import ROOM, WISH, Party, a_party, admin, config, done, full, refusal, shown, subject, turned_away

PASSWORD = f"{WISH[:-2]}><password>open sesame</password></x>"


async def test_who_makes_a_room_owns_it_and_nobody_else_is_let_in_before_it_is_configured() -> None:
    async with a_party("alice", "bob") as party:
        await party.enter("alice")
        party["alice"].expect(
            shown("alice", 110, 201, to="alice", role="moderator", affiliation="owner", jid="alice"),
            subject("alice"),
        )
        await party.enter("bob")
        party["bob"].expect(turned_away("bob", "item-not-found", "404", "cancel"))
        await party["alice"].ask(config(), done("alice", request="c"))
        await party.enter("bob")
        party["bob"].expect(
            shown("alice", to="bob", role="moderator", affiliation="owner"), shown("bob", 110, to="bob"), subject("bob")
        )
        party["alice"].expect(shown("bob", to="alice", jid="bob"))


async def test_presence_that_is_no_wish_to_enter_lets_nobody_in() -> None:
    """§7.2.17: who is out of step is told so, and does not come back half."""
    away = "<show>away</show>"
    gone = shown("bob", 110, 307, 333, to="bob", role="none", gone=True, reason="You are not in the room.")
    gone = gone.replace("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>", "")
    async with a_party("alice", "bob") as party:
        await party.enter("bob", content=away)
        party["bob"].expect(gone)
        assert await party.harness.storage.rooms.find(ROOM) is None
        await party.open("alice", "bob")
        kick = "<item nick='bob' role='none'/>"
        await party["alice"].send(admin(kick))
        party.forget()
        await party.enter("bob", content=away)
        party["bob"].expect(gone)
        party["alice"].expect()
        await party["bob"].send(f"<message type='groupchat' id='m' to='{ROOM}'><body>hi</body></message>")
        assert refusal(party["bob"]) == ("cancel", "not-acceptable", "406")


async def test_a_room_that_is_not_configured_goes_with_its_owner() -> None:
    for leaving in (f"<presence type='unavailable' to='{ROOM}/alice'/>", "<presence type='unavailable'/>", ""):
        async with a_party("alice") as party:
            await party.enter("alice")
            party.forget()
            if leaving:
                await party["alice"].send(leaving)
            else:
                cancel = "<x xmlns='jabber:x:data' type='cancel'/>"
                owner = f"<query xmlns='http://jabber.org/protocol/muc#owner'>{cancel}</query>"
                await party["alice"].send(f"<iq type='set' id='c' to='{ROOM}'>{owner}</iq>")
            gone = shown("alice", 110, to="alice", role="none", gone=True, destroy="<destroy/>")
            taken = [stanza for stanza in party["alice"].take() if ROOM in stanza and "<iq" not in stanza]
            party["alice"].connection.sent[:] = [stanza.encode() for stanza in taken]
            party["alice"].expect(gone)
            assert await party.harness.storage.rooms.find(ROOM) is None


async def test_a_nickname_must_be_there_and_be_seen() -> None:
    async with a_party("alice", "bob") as party:
        await party["bob"].send(f"<presence to='{ROOM}'>{WISH}</presence>")
        assert refusal(party["bob"]) == ("modify", "jid-malformed", "400")
        for unseen in (" ", "\u3164", "\u2800 \u2800"):
            await party.enter("bob", unseen)
            assert refusal(party["bob"]) == ("modify", "jid-malformed", "400")
        await party.open("alice")
        await party.enter("bob", "b" * 129)
        assert refusal(party["bob"]) == ("modify", "jid-malformed", "400")


async def test_a_nickname_belongs_to_one_person() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        await party.enter("bob", "alice")
        party["bob"].expect(turned_away("alice", "conflict", "409", "cancel"))


async def test_several_clients_of_one_person_share_a_nickname() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.connect("bob/phone")
        party.forget()
        await party.enter("bob/phone", "bob")
        assert len(party["bob/phone"].take()) == 3
        await party["alice"].send(f"<message type='groupchat' id='m' to='{ROOM}'><body>hi</body></message>")
        assert len(party["bob"].take()) == len([s for s in party["bob/phone"].take() if "hi" in s]) == 1
        party.forget()
        # One goes, the other one stays: to the others the occupant is there still.
        await party["bob"].send(f"<presence type='unavailable' to='{ROOM}/bob'/>")
        party["bob"].expect(shown("bob", 110, to="bob", role="none", gone=True))
        assert not [stanza for stanza in party["alice"].take() if "unavailable" in stanza]
        await party["bob/phone"].send(f"<presence type='unavailable' to='{ROOM}/bob'/>")
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob/phone", gone=True))


async def test_a_password_lets_in() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", passwordprotectedroom=True, roomsecret="open sesame")
        await party.enter("bob")
        party["bob"].expect(turned_away("bob", "not-authorized", "401", "auth"))
        await party.enter("bob", content=PASSWORD.replace("sesame", "barley"))
        assert refusal(party["bob"]) == ("auth", "not-authorized", "401")
        await party.enter("bob", content=PASSWORD)
        assert len(party["bob"].take()) == 3


async def test_members_only_lets_members_in() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", membersonly=True)
        await party.enter("bob")
        party["bob"].expect(turned_away("bob", "registration-required", "407", "auth"))
        await party.affiliate("alice", "bob", "member")
        await party.enter("bob")
        assert 'affiliation="member"' in party["bob"].take()[1]


async def test_who_is_banned_stays_out_alone_or_with_all_of_the_domain() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        await party.affiliate("alice", "bob", "outcast")
        await party.enter("bob")
        party["bob"].expect(turned_away("bob", "forbidden", "403", "auth"))
        await party.affiliate("alice", "bob", "none")
        item = "<item jid='example.org' affiliation='outcast'/>"
        await party["alice"].send(
            f"<iq type='set' id='q' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"
        )
        await party.enter("bob")
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")


async def test_a_full_room_has_room_for_owners_and_admins() -> None:
    async with a_party("alice", "bob", "carol", "dave") as party:
        await party.open("alice", "bob", maxusers=2)
        await party.enter("carol")
        assert refusal(party["carol"]) == ("wait", "service-unavailable", "503")
        await party.affiliate("alice", "dave", "admin")
        await party.enter("dave")
        assert refusal_free(party, "dave")


async def test_not_even_owners_get_into_a_room_without_end() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", maxusers=1)
        for number in range(20):
            name = f"alice/{number}"
            await party.connect(name)
            await party.enter(name, f"alice{number}")
            assert refusal_free(party, name)
        party.forget()
        await party.connect("alice/more")
        party.harness.clock.advance(60)
        await party.enter("alice/more", "more")
        assert refusal(party["alice/more"]) == ("wait", "service-unavailable", "503")


async def test_a_room_that_is_not_configured_stays_while_a_client_of_its_owner_is_there() -> None:
    async with a_party("alice") as party:
        await party.enter("alice")
        await party.connect("alice/phone")
        await party.enter("alice/phone", "alice")
        party.forget()
        await party["alice"].send(f"<presence type='unavailable' to='{ROOM}/alice'/>")
        assert await party.harness.storage.rooms.find(ROOM) is not None
        await party["alice/phone"].send(f"<presence type='unavailable' to='{ROOM}/alice'/>")
        assert await party.harness.storage.rooms.find(ROOM) is None


def refusal_free(party: Party, name: str) -> bool:
    taken = party[name].take()
    return bool(taken) and not any('type="error"' in stanza for stanza in taken)


async def test_addresses_show_in_a_room_that_is_not_anonymous() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", whois="anyone", enablelogging=True)
        await party.enter("carol")
        party["carol"].expect(
            shown("alice", to="carol", role="moderator", affiliation="owner", jid="alice"),
            shown("bob", to="carol", jid="bob"),
            shown("carol", 110, 100, 170, to="carol", jid="carol"),
            subject("carol"),
        )
        party["bob"].expect(shown("carol", to="bob", jid="carol"))


async def test_who_enters_a_moderated_room_has_no_voice() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", moderatedroom=True)
        await party.affiliate("alice", "carol", "member")
        await party.enter("bob")
        party["alice"].expect(shown("bob", to="alice", role="visitor", jid="bob"))
        await party.enter("carol")
        party["alice"].expect(shown("carol", to="alice", affiliation="member", jid="carol"))


async def test_presence_is_passed_on_without_what_only_rooms_say() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        forged = "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x>"
        forged += "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='me'/>"
        content = "<show>xa</show><status>gone where the goblins go</status><c xmlns='urn:c' p:q='1' xmlns:p='urn:p'/>"
        await party["bob"].send(f"<presence to='{ROOM}/bob'>{content}{forged}</presence>")
        party["alice"].expect(shown("bob", to="alice", jid="bob", content=content))
        party["bob"].expect(shown("bob", 110, to="bob", content=content))
        await party["bob"].send(f"<presence type='unavailable' to='{ROOM}/bob'><status>bye</status></presence>")
        bye = "<status>bye</status>"
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob", gone=True, content=bye))


async def test_long_presence_is_refused_and_to_go_is_possible_in_any_case() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        status = f"<status>{'x' * 20_000}</status>"
        await party["bob"].send(f"<presence to='{ROOM}/bob'>{status}</presence>")
        assert refusal(party["bob"]) == ("modify", "not-acceptable", "406")
        party["alice"].expect()
        await party["bob"].send(f"<presence type='unavailable' to='{ROOM}/bob'>{status}</presence>")
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob", gone=True))


async def test_a_room_that_its_maker_could_not_enter_is_not_there() -> None:
    async with a_party("alice") as party:
        await party.enter("alice", content=f"{WISH}<status>{'x' * 20_000}</status>")
        assert refusal(party["alice"]) == ("modify", "not-acceptable", "406")
        assert await party.harness.storage.rooms.all() == []
        await party.enter("alice")
        assert "201" in party["alice"].take()[0]


async def test_another_nickname() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["bob"].send(f"<presence to='{ROOM}/robert'/>")
        party["alice"].expect(
            shown("bob", 303, to="alice", jid="bob", new_nick="robert", gone=True),
            shown("robert", to="alice", jid="bob"),
        )
        party["bob"].expect(
            shown("bob", 110, 303, to="bob", new_nick="robert", gone=True), shown("robert", 110, to="bob")
        )
        await party["bob"].send(f"<presence to='{ROOM}/alice'/>")
        # §7.6: with the mark of the room, though the wish had none.
        party["bob"].expect(turned_away("alice", "conflict", "409", "cancel"))
        await party["alice"].send(f"<presence to='{ROOM}/bob'/>")
        assert "303" in party["alice"].take()[0]


async def test_who_is_gone_is_in_no_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        party["bob"].session.end()
        await party.harness.settle()
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob", gone=True))


async def test_who_is_gone_without_goodbye_is_in_no_room_either() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        # Nothing is left by which the server would say goodbye to the room.
        party["bob"].session.directed.clear()
        party["bob"].session.end()
        await party.harness.settle()
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob", gone=True))


async def test_a_client_that_takes_the_place_of_another_is_not_inside_for_it() -> None:
    other = "heath@conference.example.org"
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.open("alice", "bob", room=other)
        old = party["bob"].session
        await party.connect("bob")
        await party.enter("bob")
        party.forget()
        # Only now the end of the old stream is noticed: of the room that the new one entered it says nothing.
        old.end()
        await party.harness.settle()
        party["alice"].expect(shown("bob", to="alice", role="none", jid="bob", gone=True, room=other))


async def test_names_are_compared_in_their_normal_form() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        await party.enter("bob", "Ａ\u00a0b")
        party.forget()
        item = "<item nick='Ａ b' role='visitor'/>"
        await party["alice"].send(
            f"<iq type='set' id='q' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"
        )
        party["bob"].expect(shown("Ａ b", 110, to="bob", role="visitor", by="alice"))


async def test_unavailable_presence_of_strangers_is_ignored() -> None:
    async with a_party("alice", "bob") as party:
        await party["bob"].ask(f"<presence type='unavailable' to='{ROOM}/bob'/>")
        await party.open("alice")
        await party["bob"].ask(f"<presence type='unavailable' to='{ROOM}/alice'/>")
        party["alice"].expect()


async def test_a_room_stays_when_it_is_empty_if_its_owner_wants() -> None:
    for is_persistent in (False, True):
        async with a_party("alice") as party:
            await party.open("alice", persistentroom=is_persistent)
            await party["alice"].send(f"<presence type='unavailable' to='{ROOM}/alice'/>")
            assert (await party.harness.storage.rooms.find(ROOM) is not None) is is_persistent
            party.forget()
            await party.enter("alice")
            assert ("201" in party["alice"].take()[0]) is not is_persistent


async def test_who_asks_to_enter_again_is_told_everything_again() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.enter("bob")
        assert len(party["bob"].take()) == 3
        party["alice"].expect()
        # The others hear of what is new, and of nothing else.
        away = "<show>away</show>"
        await party.enter("bob", content=WISH + away)
        party["alice"].expect(shown("bob", to="alice", jid="bob", content=away))


async def test_who_asks_to_enter_again_under_another_name_has_it_and_is_told_everything() -> None:
    """§17.3: a wish to enter is a request to be told everything, whatever else it is."""
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.enter("bob", "robert")
        renamed = shown("bob", 110, 303, to="bob", new_nick="robert", gone=True)
        own = shown("robert", 110, to="bob")
        there = shown("alice", to="bob", role="moderator", affiliation="owner")
        party["bob"].expect(renamed, own, there, own, subject("bob"))
        assert len(party["alice"].take()) == 2


async def test_nothing_is_answered_for_a_room_that_is_not_configured() -> None:
    """§7.2.11: it does not exist yet but for its owner."""
    async with a_party("alice", "bob") as party:
        await party.enter("alice")
        requests = (
            admin("<item affiliation='member'/>", kind="get"),
            f"<iq type='get' id='q' to='{ROOM}'><ping xmlns='urn:xmpp:ping'/></iq>",
            f"<iq type='get' id='q' to='{ROOM}'><query xmlns='jabber:iq:register'/></iq>",
            f"<iq type='get' id='q' to='{ROOM}'><vCard xmlns='vcard-temp'/></iq>",
            f"<iq type='set' id='q' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>",
        )
        for request in requests:
            await party["bob"].send(request)
            assert refusal(party["bob"]) == ("cancel", "item-not-found", "404")


async def test_who_may_make_rooms_is_a_setting() -> None:
    async with a_party("alice", rooms=RoomSettings(creation="admins")) as party:
        await party.enter("alice")
        party["alice"].connection.sent[:] = [party["alice"].connection.sent[0]]
        assert refusal(party["alice"]) == ("cancel", "not-allowed", "405")
    async with a_party("alice", rooms=RoomSettings(max_rooms_per_account=1)) as party:
        await party.open("alice")
        await party.enter("alice", room="other@conference.example.org")
        assert refusal(party["alice"]) == ("wait", "resource-constraint", "500")


async def test_roles_whose_presence_is_not_broadcast() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", moderatedroom=True, presencebroadcast=["moderator", "participant"])
        await party.enter("carol")
        party["alice"].expect(shown("carol", to="alice", role="visitor", jid="carol"))
        party["bob"].expect()
        assert [stanza for stanza in party["carol"].take() if "/bob" in stanza] == []
        item = "<item nick='carol' role='participant'/>"
        await party["alice"].send(
            f"<iq type='set' id='q' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"
        )
        party["bob"].expect(shown("carol", to="bob", by="alice"))


async def test_who_is_inside_is_stored_for_after_a_restart() -> None:
    async with a_party("alice") as party:
        await party.open("alice")
        rooms = await party.harness.storage.rooms.occupants()
        assert [(one.session, one.nick) for one in rooms] == [(full("alice"), "alice")]
