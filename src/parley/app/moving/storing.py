"""Stores accounts that move in: each whole or not at all.

An account is suspended while it is being filled, so that nobody meets half of one; what fails is removed again. After a
crash the account that was in work is there, suspended: it is removed by hand, and the import run again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from lxml import etree

from parley.app.addresses import parse_new_address
from parley.app.errors import Unwilling
from parley.app.moving.mailing import Mailing, store_messages
from parley.domain.contacts import RosterEdit
from parley.domain.errors import DomainError
from parley.domain.people.personal import Card
from parley.domain.pubsub.nodes import AccessModel, Node, NodeConfig, NodeItem, PubsubService
from parley.edges.xmpp.delivery.traits import NS_DISPLAYED_SYNC
from parley.identity.sign_in import credentials_for
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_STANZA_IDS

if TYPE_CHECKING:
    from parley.app.moving.records import AccountRecord, NodeRecord
    from parley.base.clock import Clock
    from parley.base.config import Settings
    from parley.domain.accounts import Account, Credential
    from parley.storage.sqlite.store import SqliteStorage

_MOST_NODES: Final = 10_000


@dataclass(slots=True)
class Report:
    """What became of the accounts: addresses, and for those left out and the remarks a reason each."""

    imported: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)


class Storing:
    """Stores records.

    Args:
        storage: where to.
        settings: domains and limits.
        clock: for the times of new accounts.
        new_id: makes ids of messages.
    """

    def __init__(self, storage: SqliteStorage, settings: Settings, clock: Clock, new_id: Callable[[], str]) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = clock
        self._new_id = new_id

    async def store(self, records: Iterable[AccountRecord], progress: Callable[[int], None]) -> Report:
        """Store all that can be stored; `progress` is told how many were looked at. Raises StorageUnavailable."""
        report = Report()
        seen: dict[str, str] = {}
        for number, record in enumerate(records, 1):
            try:
                address = self._address(record, seen)
                await self._store(record, address)
            except (Unwilling, DomainError, PayloadError) as error:
                report.left_out.append((record.source, str(error)))
            else:
                report.imported.append(address)
            report.remarks += [(record.source, remark) for remark in record.remarks]
            progress(number)
        return report

    def _address(self, record: AccountRecord, seen: dict[str, str]) -> str:
        """The address in today's normal form: names of older servers were prepared by other rules."""
        domains: Collection[str] = self._settings.domains
        address = parse_new_address(record.source, domains)
        if address in seen:
            raise Unwilling("account-exists", f"{record.source} and {seen[address]} are one address, {address}")
        seen[address] = record.source
        return address

    async def _store(self, record: AccountRecord, address: str) -> None:
        credentials = await self._credentials(record)
        storage = self._storage
        account = await storage.accounts.add(address, credentials, self._clock.now_us())
        try:
            await storage.accounts.set_suspended(account.id, True)
            await self._fill(record, account)
            await storage.accounts.set_suspended(account.id, False)
        except BaseException:
            await storage.accounts.remove(account.id)
            raise

    async def _credentials(self, record: AccountRecord) -> tuple[Credential, ...]:
        if record.password:
            rounds = self._settings.login.scram_iterations
            return await asyncio.to_thread(credentials_for, record.password, rounds, secrets.token_bytes)
        if not record.credentials:
            record.remarks.append("there is no password: set one with `parley user password`")
        return tuple(record.credentials)

    async def _fill(self, record: AccountRecord, account: Account) -> None:
        storage, settings = self._storage, self._settings
        contacts = {contact.address: contact for contact in record.contacts if contact.address != account.address}
        edits = [RosterEdit(account.id, contact.address, contact) for contact in contacts.values()]
        await storage.rosters.edit(edits, max(settings.limits.max_roster_items, len(edits)))
        if record.blocked:
            # They are taken over as they are, also where nobody may block so many here.
            await storage.blocks.block(
                account.id, record.blocked, (), self._clock.now_us(), limit=len(record.blocked), reports_kept=0
            )
        is_archiving = settings.archive.enabled
        mailing = Mailing(record, account, self._new_id, self._clock.now_us(), is_archiving=is_archiving)
        await store_messages(storage, mailing.messages())
        for node in record.nodes:
            await self._publish(_renumbered(node, account, mailing.ids), account, record)
        if record.private:
            await storage.personal.put_private(
                account.id, record.private, max_elements=len(record.private), max_bytes=1 << 30
            )
        if record.card:
            await storage.personal.put_card(account.id, Card(record.card))

    async def _publish(self, record: NodeRecord, account: Account, whole: AccountRecord) -> None:
        service = PubsubService(account.address, account.id)
        try:
            model = AccessModel(record.access_model or AccessModel.PRESENCE)
        except ValueError:
            model = AccessModel.WHITELIST
            whole.remarks.append(f"{record.name}: access model {record.access_model} became whitelist")
        config = NodeConfig(access_model=model, max_items=min(record.max_items, self._settings.pep.max_items))
        await self._storage.nodes.create(Node(service, record.name, config, creator=account.address), _MOST_NODES)
        now = self._clock.now_us()
        for item in record.items:
            published = NodeItem(item.id, account.address, item.published_at or now, item.payload)
            await self._storage.nodes.publish(service, record.name, published)


def _renumbered(record: NodeRecord, account: Account, ids: Mapping[str, str]) -> NodeRecord:
    """What all devices have seen (XEP-0490) names messages by ids of the archive, which are others here."""
    if record.name == NS_DISPLAYED_SYNC:
        for index, item in enumerate(record.items):
            tree = etree.fromstring(item.payload)
            for child in tree.iterchildren(f"{{{NS_STANZA_IDS}}}stanza-id"):
                child.set("by", account.address)
                child.set("id", ids.get(child.get("id", ""), ""))
            record.items[index] = replace(item, payload=serialise(tree, default_namespace=""))
    return record
