"""What the stores in memory share: the tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from parley.domain.accounts import Account, Credential
from parley.domain.archive.preferences import Preferences
from parley.domain.contacts import Contact
from parley.domain.devices import Device
from parley.domain.errors import NotFound
from parley.domain.messages import Confidentiality, MailboxEntry, NewMessage
from parley.domain.partners.ports import QueuedStanza
from parley.domain.people.blocking import Complaint
from parley.domain.people.personal import Card, Departure
from parley.domain.pubsub.nodes import Affiliation, NodeConfig, NodeItem, Subscription
from parley.domain.push import Registration
from parley.domain.tokens import Token
from parley.domain.uploads import Upload


@dataclass(slots=True)
class RosterTable:
    """One roster: contacts and removals with the version of their last change."""

    version: int = 0
    forgotten: int = 0
    contacts: dict[str, tuple[int, Contact]] = field(default_factory=dict)
    removals: dict[str, int] = field(default_factory=dict)

    def copied(self) -> RosterTable:
        """A roster that goes its own way from here on."""
        return RosterTable(self.version, self.forgotten, dict(self.contacts), dict(self.removals))


@dataclass(slots=True)
class NodeTable:
    """One node; its items in the order of their publication."""

    config: NodeConfig
    affiliations: dict[str, Affiliation] = field(default_factory=dict)
    creator: str = ""
    created_at: int = 0
    items: dict[str, NodeItem] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    """When the id of each item appeared first, as a count of publications."""
    publications: int = 0
    subscriptions: dict[str, Subscription] = field(default_factory=dict)


@dataclass(slots=True)
class AccountTable:
    """One account and all that belongs to it, mailbox and uploads apart."""

    account: Account
    credentials: list[Credential] = field(default_factory=list)
    devices: dict[str, Device] = field(default_factory=dict)
    device_credentials: dict[str, Credential] = field(default_factory=dict)
    roster: RosterTable = field(default_factory=RosterTable)
    nodes: dict[str, NodeTable] = field(default_factory=dict)
    moved_nodes: dict[str, str] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    push: dict[tuple[str, str], Registration] = field(default_factory=dict)
    cursor: int = 0
    preferences: Preferences | None = None
    blocked: list[str] = field(default_factory=list)
    private: dict[tuple[str, str], bytes] = field(default_factory=dict)
    card: Card | None = None
    departure: Departure | None = None


@dataclass(slots=True)
class Tables:
    """Everything."""

    accounts: dict[int, AccountTable] = field(default_factory=dict)
    last_account_id: int = 0
    messages: dict[int, NewMessage] = field(default_factory=dict)
    last_seq: int = 0
    mailboxes: dict[int, dict[int, MailboxEntry]] = field(default_factory=dict)
    holders: dict[int, int] = field(default_factory=dict)
    conversations: dict[tuple[str, str], Confidentiality] = field(default_factory=dict)
    displayed: dict[tuple[int, str], int] = field(default_factory=dict)
    words: dict[int, frozenset[str]] = field(default_factory=dict)
    indexed_to: int = 0
    uploads: dict[str, Upload] = field(default_factory=dict)
    service_nodes: dict[str, dict[str, NodeTable]] = field(default_factory=dict)
    """Nodes of services, by the domain of the service and their name."""
    moved_nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    reports: dict[int, tuple[int, int, Complaint]] = field(default_factory=dict)
    last_report_id: int = 0
    outgoing: dict[int, QueuedStanza] = field(default_factory=dict)
    last_outgoing_id: int = 0

    def account(self, account_id: int) -> AccountTable:
        """An account that exists; raises NotFound("account-not-found")."""
        found = self.accounts.get(account_id)
        if found is None:
            raise NotFound("account-not-found")
        return found

    def by_address(self, address: str) -> AccountTable | None:
        """The account of an address."""
        return next((table for table in self.accounts.values() if table.account.address == address), None)

    def queue(self, local: str, remote: str, now: int, stanza: bytes) -> int:
        """Let a stanza wait for a partner; returns its number."""
        self.last_outgoing_id += 1
        self.outgoing[self.last_outgoing_id] = QueuedStanza(self.last_outgoing_id, local, remote, now, stanza)
        return self.last_outgoing_id

    def delete_entry(self, account_id: int, seq: int) -> None:
        """Delete a mailbox entry, and its message with the last one."""
        del self.mailboxes[account_id][seq]
        self.holders[seq] -= 1
        if self.holders[seq] == 0:
            self.delete_message(seq)

    def delete_message(self, seq: int) -> None:
        """Delete a message that no mailbox holds."""
        del self.messages[seq]
        del self.holders[seq]
        self.words.pop(seq, None)
