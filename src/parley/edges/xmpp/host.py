"""What the parts of the XMPP edge and its extensions share: the doors of the domain and each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config import Settings
    from parley.base.supervise import Supervisor
    from parley.domain.administration import Administration
    from parley.domain.archive.ports import InboxStore, PreferenceStore
    from parley.domain.archive.preferences import Archiving
    from parley.domain.conversations import Conversations
    from parley.domain.people.ports import BlockStore, PersonalStore
    from parley.domain.pipeline import Pipeline
    from parley.domain.ports import (
        AccountDirectory,
        ConversationStore,
        DeviceStore,
        MessageLog,
        RosterStore,
        UploadSlots,
    )
    from parley.domain.pubsub.ports import NodeStore
    from parley.domain.push import PushStore
    from parley.domain.push_targets import PushSender, PushTargetStore
    from parley.domain.rooms.ports import RoomStore
    from parley.edges.xmpp.clients.session_journal import SessionJournal
    from parley.edges.xmpp.clients.sessions import Sessions
    from parley.edges.xmpp.delivery.keeping import Keeping
    from parley.edges.xmpp.delivery.mail import Mail
    from parley.edges.xmpp.delivery.messages import Messages
    from parley.edges.xmpp.delivery.push import Push
    from parley.edges.xmpp.extension import Extension
    from parley.edges.xmpp.people.acquaintances import Acquaintances
    from parley.edges.xmpp.people.blocking import Blocking
    from parley.edges.xmpp.people.presences import Presences
    from parley.edges.xmpp.people.rosters import Rosters
    from parley.edges.xmpp.post import Abroad, Federated, Post
    from parley.edges.xmpp.queries import Queries
    from parley.edges.xmpp.requests import Requests
    from parley.edges.xmpp.router import Router
    from parley.edges.xmpp.services import Services
    from parley.ops.metrics import Metrics


T = TypeVar("T")


@dataclass(slots=True)
class Stores:
    """The ports of the domain that the XMPP edge uses."""

    devices: DeviceStore
    rosters: RosterStore
    messages: MessageLog
    conversations: ConversationStore
    nodes: NodeStore
    directory: AccountDirectory
    slots: UploadSlots
    blocks: BlockStore
    personal: PersonalStore
    rooms: RoomStore
    preferences: PreferenceStore
    inbox: InboxStore
    push: PushStore
    push_targets: PushTargetStore


class Host:
    """The XMPP edge as its parts see it. `app` fills it once, before the first connection."""

    settings: Settings
    clock: Clock
    supervisor: Supervisor
    metrics: Metrics
    stores: Stores
    conversations: Conversations
    acquaintances: Acquaintances
    archiving: Archiving
    keeping: Keeping
    pipeline: Pipeline
    new_id: Callable[[], str]
    extensions: tuple[Extension, ...]
    router: Router
    sessions: Sessions
    journal: SessionJournal
    rosters: Rosters
    blocking: Blocking
    messages: Messages
    mail: Mail
    presences: Presences
    requests: Requests
    services: Services
    post: Post
    queries: Queries
    push: Push
    push_sender: PushSender
    """What wakes the devices that the push service of this server is for."""
    administration: Administration
    federation: Federated | None = None
    """The way to other servers, where there is one."""
    components: Mapping[str, Abroad] = MappingProxyType({})
    """External components (XEP-0114) by their domain."""
    started_at: float
    """When the edge was put together (seconds of the monotonic clock)."""
    is_draining: bool = False

    def __init__(self) -> None:
        self._memories: dict[Any, Any] = {}

    def memory(self, kind: Callable[[Host], T]) -> T:
        """The one `kind` of this host, made when first asked for: what an extension keeps between requests."""
        if kind not in self._memories:
            self._memories[kind] = kind(self)
        found: T = self._memories[kind]
        return found

    def abroad(self, domain: str) -> Abroad:
        """The way to a domain that is not ours. Raises StanzaError when there is none."""
        way: Abroad | None = self.components.get(domain, self.federation)
        if way is None:
            raise StanzaError(StanzaCondition.REMOTE_SERVER_NOT_FOUND)
        return way

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains served here, the primary one first."""
        return self.settings.domains
