"""Accounts, devices, rosters and conversations in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from parley.domain.accounts import Account, Credential
from parley.domain.contacts import Contact, Roster, RosterChange, RosterEdit
from parley.domain.devices import Device
from parley.domain.errors import Conflict, DomainError, LimitReached
from parley.domain.messages import Confidentiality
from parley.storage.memory.state import AccountTable, RosterTable, Tables

REMOVALS_KEPT = 1000


class MemoryAccounts:
    """Accounts and their password credentials."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, address: str, credentials: Sequence[Credential], now: int) -> Account:
        """Create an account."""
        return (await self.add_many([(address, credentials)], now))[0]

    async def add_many(self, people: Sequence[tuple[str, Sequence[Credential]]], now: int) -> list[Account]:
        """Create all or none."""
        taken = {table.account.address for table in self._tables.accounts.values()}
        for address, _ in people:
            if address in taken:
                raise Conflict("account-exists", f"there is an account {address} already")
            taken.add(address)
        return [self._add(address, credentials, now) for address, credentials in people]

    async def find(self, address: str) -> Account | None:
        """The account of that address."""
        table = self._tables.by_address(address)
        return None if table is None else table.account

    async def all(self, domain: str | None = None) -> list[Account]:
        """All accounts, by address."""
        accounts = [table.account for table in self._tables.accounts.values()]
        chosen = [account for account in accounts if domain is None or account.domain == domain]
        return sorted(chosen, key=lambda account: account.address)

    async def credentials(self, address: str) -> list[Credential]:
        """The password's credentials, by mechanism."""
        table = self._tables.by_address(address)
        return [] if table is None else sorted(table.credentials, key=lambda credential: credential.mechanism)

    async def iterations(self) -> dict[int, int]:
        """The numbers of rounds in use, each with how many credentials have it."""
        tables = self._tables.accounts.values()
        return Counter(credential.iterations for table in tables for credential in table.credentials)

    async def set_credentials(self, account_id: int, credentials: Sequence[Credential]) -> None:
        """Replace the password and forget the tokens."""
        table = self._tables.account(account_id)
        table.credentials = list(credentials)
        table.tokens.clear()

    async def add_credential(self, account_id: int, credential: Credential) -> bool:
        """Keep the password's credential for one more mechanism; False when there is one."""
        kept = self._tables.account(account_id).credentials
        if any(each.mechanism == credential.mechanism for each in kept):
            return False
        kept.append(credential)
        return True

    async def set_suspended(self, account_id: int, is_suspended: bool) -> None:
        """Suspend or resume."""
        table = self._tables.account(account_id)
        table.account = replace(table.account, is_suspended=is_suspended)

    async def remove(self, account_id: int) -> None:
        """Delete the account and what belongs to it."""
        tables = self._tables
        if tables.accounts.pop(account_id, None) is None:
            return
        for seq in list(tables.mailboxes[account_id]):
            tables.delete_entry(account_id, seq)
        del tables.mailboxes[account_id]
        tables.uploads = {key: upload for key, upload in tables.uploads.items() if upload.account_id != account_id}

    def _add(self, address: str, credentials: Sequence[Credential], now: int) -> Account:
        tables = self._tables
        tables.last_account_id += 1
        account = Account(tables.last_account_id, address, now)
        tables.accounts[account.id] = AccountTable(account, list(credentials))
        tables.mailboxes[account.id] = {}
        return account


class MemoryDevices:
    """Devices and their own credentials."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def seen(
        self,
        account_id: int,
        resource: str,
        name: str,
        address: str,
        now: int,
        *,
        software: str = "",
        client: bytes = b"",
        keep: int = 100,
        is_refusing: bool = False,
    ) -> None:
        """Record that the device signed in; see the port."""
        table = self._tables.account(account_id)
        devices = table.devices
        places = [device for device in devices.values() if client and device.client == client]
        if is_refusing and resource not in devices and not places and len(devices) >= keep:
            raise LimitReached("too-many-devices")
        first = min((device.first_seen for device in places), default=now)
        known = devices.get(resource) or Device(account_id, resource, name, first, now, address, has_credential=False)
        for place in places:
            if place.resource != resource and place.resource not in table.device_credentials:
                del devices[place.resource]
        devices[resource] = replace(
            known,
            name=name or known.name,
            last_seen=now,
            last_address=address,
            software=software or known.software,
            client=client or known.client,
        )
        for old in (await self.all(account_id))[keep:]:
            del devices[old.resource]
            table.device_credentials.pop(old.resource, None)
            _wake_no_more(table, old.resource)
        clients = {device.client for device in devices.values()}
        table.tokens = [token for token in table.tokens if token.client in clients]

    async def all(self, account_id: int) -> list[Device]:
        """All devices of an account, the last seen first."""
        table = self._tables.accounts.get(account_id)
        if table is None:
            return []
        clients = {token.client for token in table.tokens}
        devices = [replace(device, has_token=device.client in clients) for device in table.devices.values()]
        return sorted(devices, key=lambda device: (-device.last_seen, device.resource))

    async def set_credential(self, account_id: int, resource: str, credential: Credential, name: str, now: int) -> None:
        """Let the device sign in with a secret of its own."""
        table = self._tables.account(account_id)
        known = table.devices.get(resource) or Device(account_id, resource, name, now, now, "", has_credential=True)
        table.devices[resource] = replace(known, name=name or known.name, has_credential=True)
        table.device_credentials[resource] = credential

    async def credential(self, address: str, resource: str) -> Credential | None:
        """The device's own credential."""
        table = self._tables.by_address(address)
        return None if table is None else table.device_credentials.get(resource)

    async def revoke(self, account_id: int, resource: str) -> bool:
        """Forget the device and its credential."""
        table = self._tables.accounts.get(account_id)
        if table is None or resource not in table.devices:
            return False
        device = table.devices.pop(resource)
        table.device_credentials.pop(resource, None)
        _wake_no_more(table, resource)
        table.tokens = [token for token in table.tokens if token.client != device.client]
        return True

    async def revoke_all(self, account_id: int) -> list[str]:
        """Forget all devices and credentials of the account."""
        table = self._tables.accounts.get(account_id)
        if table is None:
            return []
        resources = sorted(table.devices)
        for resource in resources:
            _wake_no_more(table, resource)
        table.devices.clear()
        table.device_credentials.clear()
        table.tokens.clear()
        return resources


def _wake_no_more(table: AccountTable, resource: str) -> None:
    for place in [place for place, registration in table.push.items() if registration.resource == resource]:
        del table.push[place]


class MemoryRosters:
    """Contacts.

    Args:
        removals_kept: removed contacts remembered per account.
    """

    def __init__(self, tables: Tables, removals_kept: int = REMOVALS_KEPT) -> None:
        self._tables = tables
        self._removals_kept = removals_kept

    async def load(self, account_id: int) -> Roster:
        """The roster with its version, unlisted contacts included."""
        roster = self._roster(account_id)
        return Roster(roster.version, {key: roster.contacts[key][1] for key in sorted(roster.contacts)})

    async def put(self, account_id: int, contact: Contact, limit: int) -> int:
        """Add or change a contact."""
        roster = self._tables.account(account_id).roster
        known = roster.contacts.get(contact.address)
        if known is None or known[1].is_listed != contact.is_listed:
            alike = sum(other.is_listed == contact.is_listed for _, other in roster.contacts.values())
            if alike >= limit:
                raise LimitReached("roster-full")
        roster.version += 1
        roster.contacts[contact.address] = (roster.version, contact)
        if contact.is_listed:
            roster.removals.pop(contact.address, None)
        elif known is not None and known[1].is_listed:
            self._remember_removal(roster, contact.address)
        return roster.version

    async def remove(self, account_id: int, address: str) -> int:
        """Remove a contact and remember that it was removed if it was listed."""
        roster = self._roster(account_id)
        known = roster.contacts.pop(address, None)
        if known is None:
            return roster.version
        roster.version += 1
        if known[1].is_listed:
            self._remember_removal(roster, address)
        return roster.version

    async def edit(self, edits: Sequence[RosterEdit], limit: int) -> list[int]:
        """Change contacts of several accounts, all or none."""
        before = {edit.account_id: self._roster(edit.account_id).copied() for edit in edits}
        try:
            return [
                await self.remove(edit.account_id, edit.address)
                if edit.contact is None
                else await self.put(edit.account_id, edit.contact, limit)
                for edit in edits
            ]
        except DomainError:
            for account_id, roster in before.items():
                if account_id in self._tables.accounts:
                    self._tables.accounts[account_id].roster = roster
            raise

    async def changes(self, account_id: int, since: int) -> list[RosterChange] | None:
        """The last change of each contact behind version `since`, in order; None if not known any more."""
        roster = self._roster(account_id)
        if not roster.forgotten <= since <= roster.version:
            return None
        contacts = roster.contacts.items()
        found = [RosterChange(at, key, contact) for key, (at, contact) in contacts if at > since and contact.is_listed]
        found += [RosterChange(at, key, None) for key, at in roster.removals.items() if at > since]
        return sorted(found, key=lambda change: change.version)

    async def watchers(self, address: str) -> list[int]:
        """Ids of the accounts whose roster holds `address`, ascending."""
        return [key for key, table in self._tables.accounts.items() if address in table.roster.contacts]

    def _remember_removal(self, roster: RosterTable, address: str) -> None:
        roster.removals[address] = roster.version
        if len(roster.removals) > self._removals_kept:
            oldest = min(roster.removals, key=lambda key: roster.removals[key])
            roster.forgotten = roster.removals.pop(oldest)

    def _roster(self, account_id: int) -> RosterTable:
        table = self._tables.accounts.get(account_id)
        return RosterTable() if table is None else table.roster


class MemoryConversations:
    """What is known of a conversation beside its messages; the log writes it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def confidentiality(self, a: str, b: str) -> Confidentiality | None:
        """The class of the conversation between two addresses."""
        return self._tables.conversations.get((a, b) if a <= b else (b, a))
