"""The tables of XEP-0045 §5.1 and §5.2, cell by cell."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pytest

from parley.domain.rooms.config import RoomConfig
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.privileges import check_affiliation_change, check_list, check_role_change
from parley.domain.rooms.standing import Affiliation, Role, initial_role, role_after

OWNER, ADMIN, MEMBER, NONE, OUTCAST = Affiliation
MODERATOR, PARTICIPANT, VISITOR, GONE = Role


def role_change(*cell: object) -> Why | None:
    try:
        check_role_change(*cell)  # type: ignore[arg-type]
    except RoomRefused as error:
        return error.why
    return None


def affiliation_change(actor: Affiliation, before: Affiliation, after: Affiliation) -> Why | None:
    try:
        check_affiliation_change(actor, before, after, is_self=False)
    except RoomRefused as error:
        return error.why
    return None


INITIAL = [
    # moderated, affiliation, role
    (True, NONE, VISITOR),
    (True, MEMBER, PARTICIPANT),
    (True, ADMIN, MODERATOR),
    (True, OWNER, MODERATOR),
    (False, NONE, PARTICIPANT),
    (False, MEMBER, PARTICIPANT),
    (False, ADMIN, MODERATOR),
    (False, OWNER, MODERATOR),
]


@pytest.mark.parametrize(("is_moderated", "affiliation", "role"), INITIAL)
def test_initial_roles(is_moderated: bool, affiliation: Affiliation, role: Role) -> None:
    assert initial_role(affiliation, is_moderated=is_moderated) is role


def test_who_is_no_moderator_and_no_admin_changes_no_role() -> None:
    for actor_role, actor in itertools.product((PARTICIPANT, VISITOR, GONE), (MEMBER, NONE)):
        for target, target_role, wanted in itertools.product((MEMBER, NONE), (PARTICIPANT, VISITOR), Role):
            assert role_change(actor_role, actor, target_role, target, wanted) is Why.NO_PRIVILEGE


def test_owners_and_admins_lose_neither_voice_nor_moderation() -> None:
    for actor, target, wanted in itertools.product((OWNER, ADMIN, MEMBER), (OWNER, ADMIN), (PARTICIPANT, VISITOR)):
        assert role_change(MODERATOR, actor, MODERATOR, target, wanted) is Why.TARGET_TOO_HIGH


def test_nobody_kicks_those_above() -> None:
    for actor, target in itertools.product((OWNER, ADMIN, MEMBER, NONE), repeat=2):
        wanted = Why.TARGET_TOO_HIGH if target.rank > actor.rank else None
        assert role_change(MODERATOR, actor, PARTICIPANT, target, GONE) is wanted


def test_moderators_are_kicked_by_owners_and_admins_alone() -> None:
    assert role_change(MODERATOR, MEMBER, MODERATOR, NONE, GONE) is Why.TARGET_TOO_HIGH
    assert role_change(MODERATOR, ADMIN, MODERATOR, NONE, GONE) is None


def test_voice_is_not_revoked_from_equals() -> None:
    for actor, target in itertools.product((OWNER, ADMIN, MEMBER, NONE), (MEMBER, NONE)):
        wanted = Why.TARGET_TOO_HIGH if target.rank >= actor.rank else None
        assert role_change(MODERATOR, actor, PARTICIPANT, target, VISITOR) is wanted
        assert role_change(MODERATOR, actor, VISITOR, target, PARTICIPANT) is None


def test_owners_do_everything_to_others() -> None:
    for before, after in itertools.product(Affiliation, repeat=2):
        assert affiliation_change(OWNER, before, after) is None


def test_admins_change_members_and_strangers_and_ban_them() -> None:
    lower = (MEMBER, NONE, OUTCAST)
    for before, after in itertools.product(Affiliation, repeat=2):
        if before == after and after is not OUTCAST:
            continue
        if before in lower and after in lower:
            wanted = None
        else:
            wanted = Why.TARGET_TOO_HIGH if after is OUTCAST else Why.NO_PRIVILEGE
        assert affiliation_change(ADMIN, before, after) is wanted, (before, after)


def test_others_change_no_affiliation() -> None:
    for actor, before, after in itertools.product((MEMBER, NONE, OUTCAST), Affiliation, Affiliation):
        assert affiliation_change(actor, before, after) is Why.NO_PRIVILEGE


def test_roles_that_follow_from_affiliations() -> None:
    def after(role: Role, before: Affiliation, now: Affiliation, *, is_moderated: bool = True) -> Role:
        return role_after(role, before, now, is_moderated=is_moderated)

    assert after(VISITOR, NONE, MEMBER) is PARTICIPANT
    assert after(PARTICIPANT, MEMBER, ADMIN) is MODERATOR
    assert after(MODERATOR, OWNER, ADMIN) is MODERATOR
    assert after(MODERATOR, ADMIN, MEMBER) is PARTICIPANT
    assert after(MODERATOR, ADMIN, NONE) is VISITOR
    assert after(MODERATOR, ADMIN, NONE, is_moderated=False) is PARTICIPANT
    # A moderator by grace stays one, and so does who has voice.
    assert after(MODERATOR, NONE, MEMBER) is MODERATOR
    assert after(MODERATOR, MEMBER, NONE) is MODERATOR
    assert after(PARTICIPANT, MEMBER, NONE) is PARTICIPANT
    assert after(MODERATOR, OWNER, OUTCAST) is GONE


LISTS = [
    # listed, actor, members-only, anonymous, allowed
    (OWNER, OWNER, False, True, True),
    (OWNER, ADMIN, False, True, False),
    (ADMIN, ADMIN, False, True, False),
    (MEMBER, ADMIN, False, True, True),
    (OUTCAST, ADMIN, False, True, True),
    (MEMBER, MEMBER, False, True, False),
    (MEMBER, MEMBER, True, True, False),
    (MEMBER, MEMBER, False, False, True),
    (MEMBER, MEMBER, True, False, True),
    (OWNER, MEMBER, True, True, False),
    (OWNER, MEMBER, True, False, True),
    (ADMIN, MEMBER, True, False, True),
    (OUTCAST, MEMBER, True, False, False),
    (MEMBER, NONE, True, False, False),
]


@pytest.mark.parametrize(("listed", "actor", "is_members_only", "is_anonymous", "is_allowed"), LISTS)
def test_who_sees_which_list(
    listed: Affiliation, actor: Affiliation, is_members_only: bool, is_anonymous: bool, is_allowed: bool
) -> None:
    config = RoomConfig(is_members_only=is_members_only, is_anonymous=is_anonymous)
    with nullcontext() if is_allowed else pytest.raises(RoomRefused, match="not for everybody"):
        check_list(listed, GONE, actor, config)
    # A role that may fetch the members may fetch nothing else by it.
    config = RoomConfig(member_list_for=frozenset({VISITOR}))
    check_list(MEMBER, VISITOR, NONE, config)
    with pytest.raises(RoomRefused):
        check_list(OWNER, VISITOR, NONE, config)
