"""Plays in process: an edge on memory storage in virtual time."""

from __future__ import annotations

from tests.edges.xmpp.clients.test_stream_management import resume
from tests.edges.xmpp.wires import Edge, FakeWire
from tests.transcripts.play import DOMAIN, split

from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState


class EdgeHouse:
    """See `play.House`."""

    server = "parley"
    patience_s = 0.0

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.wires: dict[str, FakeWire] = {}
        self.came: dict[str, str] = {}

    async def connect(self, who: str) -> None:
        user, _, resource = who.partition("/")
        wire = self.wires[who] = self.edge.open()
        await self.edge.sign_in(wire, user, resource)

    async def say(self, who: str, xml: str) -> None:
        self.came[who] = await self.edge.say(self.wires[who], xml)

    async def collect(self) -> dict[str, list[str]]:
        came, self.came = self.came, {}
        return {who: split(came.get(who, "") + await self.edge.settle(wire)) for who, wire in self.wires.items()}

    async def drop(self, who: str) -> None:
        self.wires[who].abort()

    async def resume(self, who: str, sm_id: str, h: int) -> None:
        self.wires[who], self.came[who] = await resume(self.edge, sm_id, h, who.partition("/")[0])

    async def befriend(self, one: str, other: str) -> None:
        for a, b in ((one, other), (other, one)):
            account = await self.edge.storage.accounts.find(f"{a}@{DOMAIN}")
            assert account is not None, f"there is no {a}"
            contact = Contact(f"{b}@{DOMAIN}", state=SubscriptionState(to=True, from_=True))
            await self.edge.storage.rosters.put(account.id, contact, 1000)
            self.edge.host.rosters.forget(account.id)

    async def is_closed(self, who: str) -> bool:
        return self.wires[who].is_closed

    async def let_pass(self, seconds: float) -> None:
        self.edge.tick(seconds)
