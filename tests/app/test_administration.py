"""The port that the XMPP edge administers by: the operations of the command line, and opening accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.app.test_operations import Notes

from parley.app.administration import Administrators
from parley.app.operations import Operations
from parley.base.clock import VirtualClock
from parley.base.config import LoginSettings, Settings, TlsSettings, XmppSettings
from parley.domain.administration import AccountSummary, Wish
from parley.domain.errors import Conflict, LimitReached, NotFound, Refused
from parley.domain.invitations import digest_of
from parley.identity.sign_in import fits
from parley.storage.memory.store import MemoryStorage

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


class Office:
    """The port with what is behind it."""

    def __init__(self, registration: str = "invite") -> None:
        self.clock = VirtualClock()
        self.stores = MemoryStorage()
        self.live = Notes()
        self.settings = Settings(
            domains=("example.org",),
            tls=TlsSettings(),
            admins=(ALICE,),
            xmpp=XmppSettings(registration=registration),
            login=LoginSettings(scram_iterations=4096),
        )
        operations = Operations(self.stores, self.clock, self.settings.domains, self.live)
        self.port = Administrators(operations, self.stores, lambda: self.settings, self.clock)

    async def knows(self, address: str, password: str) -> bool:
        return all([fits(password, each) for each in await self.stores.accounts.credentials(address)] or [False])


@pytest.fixture
async def office() -> Office:
    office = Office()
    await office.port.add_account(BOB, "secret", ALICE)
    return office


async def test_accounts_come_and_go(office: Office) -> None:
    assert await office.knows(BOB, "secret")
    with pytest.raises(Conflict):
        await office.port.add_account(BOB, "secret", ALICE)
    await office.port.remove_account(BOB, ALICE)
    assert await office.stores.accounts.find(BOB) is None
    with pytest.raises(NotFound):
        await office.port.remove_account(BOB, ALICE)


@pytest.mark.parametrize(
    ("address", "password", "code"),
    [
        ("bob@other.example", "secret", "address-foreign"),
        ("b b@example.org", "secret", "address-malformed"),
        (CAROL, "", "password-unusable"),
        (CAROL, "\x07", "password-unusable"),
    ],
)
async def test_what_cannot_be_used_is_refused(office: Office, address: str, password: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        await office.port.add_account(address, password, ALICE)
    assert refused.value.code == code


async def test_a_new_password(office: Office) -> None:
    await office.port.set_password(BOB, "another", ALICE, is_signing_out=True)
    assert await office.knows(BOB, "another")
    assert ("reset", BOB) in office.live.told


async def test_suspended_and_reported(office: Office) -> None:
    office.live.here = ("phone",)
    account = await office.stores.accounts.find(BOB)
    assert account is not None
    await office.stores.devices.seen(account.id, "phone", "", "", 5_000_000)
    await office.stores.devices.seen(account.id, "desk", "", "", 9_000_000)
    await office.port.set_suspended(BOB, True, ALICE)
    report = await office.port.report(BOB)
    assert (report.last_seen, report.is_suspended, report.sessions) == (9_000_000, True, ("phone",))
    assert await office.port.accounts("example.org") == [AccountSummary(BOB, True, 1)]
    assert await office.port.end_sessions(BOB, "phone", ALICE) == 1
    assert ("end", BOB, ("phone",)) in office.live.told


async def test_anybody_opens_an_account_with_a_free_name(office: Office) -> None:
    account = await office.port.open_account(CAROL, "secret", None)
    assert await office.stores.accounts.find(CAROL) == account
    assert await office.knows(CAROL, "secret")
    with pytest.raises(Conflict):
        await office.port.open_account(CAROL, "other", None)
    assert await office.knows(CAROL, "secret")


async def test_an_administrators_name_is_not_free(office: Office) -> None:
    with pytest.raises(Conflict) as refused:
        await office.port.open_account(ALICE, "secret", None)
    # It says no more than that the name is taken.
    assert refused.value.code == "account-exists"
    anybody = await office.port.invite(Wish("example.org", 60), ALICE)
    with pytest.raises(Conflict):
        await office.port.open_account(ALICE, "secret", anybody.invitation)
    alice = await office.port.invite(Wish("example.org", 60, address=ALICE), ALICE)
    await office.port.open_account(ALICE, "secret", alice.invitation)


async def test_a_name_is_kept_for_who_was_invited(office: Office) -> None:
    issued = await office.port.invite(Wish("example.org", 60, address=CAROL), ALICE)
    with pytest.raises(Conflict):
        await office.port.open_account(CAROL, "secret", None)
    kept = await office.stores.invitations.find(digest_of(issued.token))
    await office.port.open_account(CAROL, "secret", kept)
    with pytest.raises(NotFound):
        await office.port.open_account("dave@example.org", "secret", issued.invitation)


async def test_how_many_one_may_invite(office: Office) -> None:
    invitations = office.settings.invitations.model_copy(update={"max_per_account": 1})
    office.settings = office.settings.model_copy(update={"invitations": invitations})
    wish = Wish("example.org", 60, inviter=BOB)
    await office.port.invite(wish, BOB)
    with pytest.raises(LimitReached):
        await office.port.invite(wish, BOB)


async def test_a_closed_server_invites_contacts_only() -> None:
    office = Office("closed")
    await office.port.add_account(BOB, "secret", ALICE)
    wish = Wish("example.org", 60, inviter=BOB)
    with pytest.raises(Refused):
        await office.port.invite(wish, BOB)
    await office.port.invite(replace(wish, is_account=False), BOB)
