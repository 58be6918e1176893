"""What operators can do, on stores in memory and with a server that only takes notes."""

from __future__ import annotations

import pytest

from parley.app import requests
from parley.app.errors import Unwilling
from parley.app.nobody import NobodyLive
from parley.app.operations import Operations
from parley.base.clock import VirtualClock
from parley.domain.accounts import Account, Credential
from parley.domain.contacts import Contact
from parley.domain.errors import Conflict, NotFound
from parley.domain.pubsub.nodes import AccessModel, Affiliation, Node, NodeConfig, PubsubService
from parley.domain.subscriptions import SubscriptionState
from parley.storage.memory.store import MemoryStorage

ALICE = "alice@example.org"
CREDENTIAL = Credential("SHA-256", b"salt", 4096, b"stored", b"server")
OTHER = Credential("SHA-256", b"tlas", 4096, b"derots", b"revres")


class Notes:
    """A `Live` that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.here: tuple[str, ...] = ()

    def changed(self, account: Account) -> None:
        self.told.append(("changed", account.address))

    def resources(self, address: str) -> tuple[str, ...]:
        return self.here

    def end(self, account: Account, resources, reason: str) -> int:
        self.told.append(("end", account.address, resources))
        return len(self.here)

    def reset(self, account: Account, reason: str) -> int:
        self.told.append(("reset", account.address))
        return len(self.here)

    async def part(self, account: Account) -> None:
        self.told.append(("part", account.address))

    async def deserted(self, account: Account, address: str) -> None:
        self.told.append(("deserted", account.address, address))

    def nodes_changed(self, account_id: int) -> None:
        self.told.append(("nodes_changed", account_id))

    async def leave_rooms(self, address: str) -> None:
        self.told.append(("leave_rooms", address))

    async def removed(self, account: Account) -> None:
        self.told.append(("removed", account.address))


class Office:
    """Operations with what they work on."""

    def __init__(self) -> None:
        self.stores = MemoryStorage()
        self.live = Notes()
        self.operations = Operations(self.stores, VirtualClock(), ["example.org"], self.live)

    async def ask(self, request):
        return await self.operations.answer(request)


@pytest.fixture
async def office() -> Office:
    office = Office()
    await office.ask(requests.AddUsers((requests.Person(ALICE, (CREDENTIAL,)),)))
    return office


async def test_accounts_are_added_all_or_none(office: Office):
    newcomers = tuple(requests.Person(address, (CREDENTIAL,)) for address in ("bob@example.org", ALICE))
    with pytest.raises(Conflict):
        await office.ask(requests.AddUsers(newcomers))
    assert await office.stores.accounts.find("bob@example.org") is None
    foreign = requests.Person("bob@elsewhere.example", (CREDENTIAL,))
    with pytest.raises(Unwilling):
        await office.ask(requests.AddUsers((foreign,)))


async def test_taken_addresses_are_found(office: Office):
    assert await office.ask(requests.FindTaken((ALICE, "bob@example.org"))) == {"taken": [ALICE]}


async def test_a_new_password_leaves_sessions_alone_unless_asked(office: Office):
    await office.ask(requests.SetPassword(ALICE, (OTHER,), is_signing_out=False))
    assert await office.stores.accounts.credentials(ALICE) == [OTHER]
    assert office.live.told == [("changed", ALICE)]
    office.live.here = ("phone",)
    answer = await office.ask(requests.SetPassword(ALICE, (OTHER,), is_signing_out=True))
    assert answer == {"address": ALICE, "sessions_ended": 1}
    assert ("reset", ALICE) in office.live.told


async def test_suspending_ends_sessions_after_the_account_is_marked(office: Office):
    await office.ask(requests.SetSuspended(ALICE, is_suspended=True))
    account = await office.stores.accounts.find(ALICE)
    assert account is not None
    assert account.is_suspended
    assert office.live.told == [("changed", ALICE), ("end", ALICE, None)]
    office.live.told.clear()
    await office.ask(requests.SetSuspended(ALICE, is_suspended=False))
    assert office.live.told == [("changed", ALICE)]


async def test_removing_forgets_the_account_last(office: Office):
    await office.ask(requests.RemoveUser(ALICE))
    assert await office.stores.accounts.find(ALICE) is None
    # Whatever was remembered while the sessions ended is forgotten too.
    assert office.live.told == [
        ("changed", ALICE),
        ("part", ALICE),
        ("end", ALICE, None),
        ("leave_rooms", ALICE),
        ("changed", ALICE),
        ("removed", ALICE),
    ]


async def test_whoever_knew_a_removed_account_is_told_before_it_goes(office: Office):
    bob = await office.stores.accounts.add("bob@example.org", [CREDENTIAL], 0)
    carol = await office.stores.accounts.add("carol@example.org", [CREDENTIAL], 0)
    await office.stores.rosters.put(bob.id, Contact(ALICE), 10)
    await office.stores.rosters.put(carol.id, Contact(bob.address), 10)
    await office.ask(requests.RemoveUser(ALICE))
    told = [note for note in office.live.told if note[0] in ("deserted", "removed")]
    assert told == [("deserted", bob.address, ALICE), ("removed", ALICE)]


async def test_whoever_gets_a_removed_address_is_nothing_to_anybodys_nodes(office: Office):
    bob = await office.stores.accounts.add("bob@example.org", [CREDENTIAL], 0)
    service = PubsubService(bob.address, bob.id)
    await office.stores.nodes.create(Node(service, "urn:x", NodeConfig(AccessModel.WHITELIST)), 10)
    await office.stores.nodes.affiliate(service, "urn:x", {ALICE: Affiliation.MEMBER}, 10)
    await office.ask(requests.RemoveUser(ALICE))
    (node,) = await office.stores.nodes.nodes(service)
    assert node.affiliations == {}
    told = [note for note in office.live.told if note[0] in ("nodes_changed", "removed")]
    assert told == [("nodes_changed", bob.id), ("removed", ALICE)]


async def test_without_a_server_the_rosters_are_changed_themselves(office: Office):
    both = SubscriptionState(to=True, from_=True)
    bob = await office.stores.accounts.add("bob@example.org", [CREDENTIAL], 0)
    await office.stores.rosters.put(bob.id, Contact(ALICE, "Alice", state=both), 10)
    asking = SubscriptionState(pending_in=True)
    dave = await office.stores.accounts.add("dave@example.org", [CREDENTIAL], 0)
    await office.stores.rosters.put(dave.id, Contact(ALICE, state=asking, is_listed=False, request=b"<presence/>"), 10)
    nobody = NobodyLive(None, office.stores.rosters, office.stores.rooms)
    for account in (bob, dave):
        await nobody.deserted(account, ALICE)
    assert (await office.stores.rosters.load(bob.id)).contacts == {ALICE: Contact(ALICE, "Alice")}
    assert (await office.stores.rosters.load(dave.id)).contacts == {}


async def test_devices(office: Office):
    account = await office.stores.accounts.find(ALICE)
    assert account is not None
    for resource in ("phone", "desk"):
        await office.stores.devices.seen(account.id, resource, resource.title(), "192.0.2.1", 1_700_000_000_000_000)
    office.live.here = ("phone", "stray")
    listed = (await office.ask(requests.ListDevices(ALICE)))["devices"]
    assert {each["resource"]: each["is_connected"] for each in listed} == {"phone": True, "desk": False}
    assert listed[0]["last_seen"] == "2023-11-14T22:13:20Z"
    with pytest.raises(NotFound):
        await office.ask(requests.RevokeDevices(ALICE, ("desk", "fridge")))
    assert len(await office.stores.devices.all(account.id)) == 2
    answer = await office.ask(requests.RevokeDevices(ALICE, ("desk", "stray")))
    assert answer["revoked"] == ["desk", "stray"]
    assert ("end", ALICE, ("desk", "stray")) in office.live.told
    await office.ask(requests.RevokeDevices(ALICE, None))
    assert await office.stores.devices.all(account.id) == []
    assert ("end", ALICE, None) in office.live.told


@pytest.mark.parametrize("address", ["nobody@example.org", "nobody@elsewhere.example"])
async def test_unknown_accounts(office: Office, address):
    for request in (requests.ShowUser(address), requests.RemoveUser(address), requests.RevokeDevices(address, None)):
        with pytest.raises(NotFound):
            await office.ask(request)


async def test_sessions_are_ended_and_nothing_else(office: Office):
    office.live.here = ("phone", "desk")
    assert await office.ask(requests.EndSessions(ALICE, None)) == {"address": ALICE, "sessions_ended": 2}
    await office.ask(requests.EndSessions(ALICE, ("desk",)))
    assert office.live.told == [("end", ALICE, None), ("end", ALICE, ("desk",))]


def invitation(**others):
    wanted = {"domain": "example.org", "address": "", "inviter": "", "is_account": True, "uses": 1, "lifetime_s": 3600}
    return requests.CreateInvitation(**(wanted | others))


async def test_an_invitation_is_made_listed_and_revoked(office: Office):
    made = await office.ask(invitation(inviter=ALICE))
    token = made.pop("uri").removeprefix("xmpp:alice@example.org?roster;preauth=").removesuffix(";ibr=y")
    assert token.isalnum()
    assert len(token) == 26
    assert await office.ask(requests.ListInvitations()) == {"invitations": [made]}
    assert token not in str(await office.ask(requests.ListInvitations()))
    await office.ask(requests.RevokeInvitation(made["id"]))
    assert await office.ask(requests.ListInvitations()) == {"invitations": []}
    with pytest.raises(NotFound):
        await office.ask(requests.RevokeInvitation(made["id"]))


async def test_addresses_of_invitations(office: Office):
    anybody = await office.ask(invitation())
    assert anybody["uri"].startswith("xmpp:example.org?register;preauth=")
    carol = await office.ask(invitation(address="Carol@example.org", inviter=ALICE))
    assert carol["uri"].startswith("xmpp:carol@example.org?register;preauth=")
    contact = await office.ask(invitation(inviter=ALICE, is_account=False))
    assert not contact["uri"].endswith("ibr=y")


@pytest.mark.parametrize(
    ("others", "error"),
    [
        ({"domain": "other.example"}, Unwilling),
        ({"address": "carol@other.example"}, Unwilling),
        ({"address": "a b@example.org"}, Unwilling),
        ({"address": ALICE}, Conflict),
        ({"inviter": "nobody@example.org"}, NotFound),
        ({"is_account": False}, Unwilling),
    ],
)
async def test_invitations_that_make_no_sense(office: Office, others, error):
    with pytest.raises(error):
        await office.ask(invitation(**others))
