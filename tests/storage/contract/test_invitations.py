from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.invitations import Invitation, digest_of, id_of

from ..people import ALICE, BOB, CAROL, AnyStorage, credential, two_people


def invitation(token: str = "token", **others: object) -> Invitation:
    digest = digest_of(token)
    made = Invitation(id_of(digest), digest, "example.org", created_at=100, expires_at=200)
    return replace(made, **others) if others else made  # type: ignore[arg-type]


async def test_an_invitation_is_found_by_its_token(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    made = invitation(inviter=ALICE, inviter_id=alice, uses_left=3, is_account=False)
    await storage.invitations.add(made, 10)
    assert await storage.invitations.find(digest_of("token")) == made
    assert await storage.invitations.find(digest_of("another")) is None
    assert await storage.invitations.all() == [made]
    assert await storage.invitations.all(alice) == [made]
    assert await storage.invitations.all(alice + 1) == []


async def test_it_is_taken_up_as_often_as_it_says(storage: AnyStorage) -> None:
    made = invitation(uses_left=2)
    await storage.invitations.add(made, 10)
    assert await storage.invitations.use(made.id)
    assert await storage.invitations.use(made.id)
    assert not await storage.invitations.use(made.id)
    found = await storage.invitations.find(made.digest)
    assert found is not None
    assert not found.is_valid(150)


async def test_an_account_is_opened_with_it_once(storage: AnyStorage) -> None:
    made = invitation()
    await storage.invitations.add(made, 10)
    account = await storage.invitations.register(made.id, CAROL, (credential(),), 150)
    assert await storage.accounts.find(CAROL) == account
    assert await storage.accounts.credentials(CAROL) == [credential()]
    with pytest.raises(NotFound) as refused:
        await storage.invitations.register(made.id, BOB, (credential(),), 150)
    assert refused.value.code == "invitation-not-found"
    assert await storage.accounts.find(BOB) is None


async def test_a_name_that_is_taken_uses_nothing_up(storage: AnyStorage) -> None:
    await two_people(storage)
    made = invitation()
    await storage.invitations.add(made, 10)
    with pytest.raises(Conflict) as refused:
        await storage.invitations.register(made.id, ALICE, (), 150)
    assert refused.value.code == "account-exists"
    found = await storage.invitations.find(made.digest)
    assert found is not None
    assert found.uses_left == 1


async def test_a_name_is_kept_for_who_was_invited(storage: AnyStorage) -> None:
    made = invitation(address=CAROL)
    await storage.invitations.add(made, 10)
    assert await storage.invitations.is_reserved(CAROL, 150)
    assert not await storage.invitations.is_reserved(CAROL, 200)
    assert not await storage.invitations.is_reserved(BOB, 150)
    assert not await storage.invitations.is_reserved("", 150)
    with pytest.raises(Conflict) as refused:
        await storage.invitations.add(invitation("second", address=CAROL), 10)
    assert refused.value.code == "address-reserved"
    await storage.invitations.add(invitation("third", address=CAROL, created_at=200, expires_at=300), 10)


async def test_nobody_is_invited_to_an_account_that_exists(storage: AnyStorage) -> None:
    await two_people(storage)
    with pytest.raises(Conflict) as refused:
        await storage.invitations.add(invitation(address=ALICE), 10)
    assert refused.value.code == "account-exists"


async def test_one_inviter_has_so_many_and_operators_any_number(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    for number in range(2):
        await storage.invitations.add(invitation(f"a{number}", inviter=ALICE, inviter_id=alice), 2)
        await storage.invitations.add(invitation(f"o{number}"), 1)
    with pytest.raises(LimitReached) as refused:
        await storage.invitations.add(invitation("a2", inviter=ALICE, inviter_id=alice), 2)
    assert refused.value.code == "too-many-invitations"
    await storage.invitations.add(invitation("b0", inviter=BOB, inviter_id=bob), 2)


async def test_what_is_over_is_forgotten_with_the_next(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.invitations.add(invitation("old", inviter=ALICE, inviter_id=alice), 1)
    new = invitation("new", inviter=ALICE, inviter_id=alice, created_at=200, expires_at=300)
    await storage.invitations.add(new, 1)
    assert await storage.invitations.all() == [new]


async def test_revoked_or_with_its_inviter_it_goes(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    first, second = invitation("1", inviter=ALICE, inviter_id=alice), invitation("2")
    await storage.invitations.add(first, 10)
    await storage.invitations.add(second, 10)
    assert await storage.invitations.revoke(second.id)
    assert not await storage.invitations.revoke(second.id)
    await storage.accounts.remove(alice)
    assert await storage.invitations.all() == []
    assert await storage.invitations.find(first.digest) is None
    with pytest.raises(NotFound):
        await storage.invitations.add(invitation("3", inviter=ALICE, inviter_id=alice), 10)
