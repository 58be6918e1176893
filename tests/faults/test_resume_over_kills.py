"""Clients that resume their sessions over SIGKILL: nothing lost, nothing doubled, though no message has a name."""

from __future__ import annotations

import asyncio
import random

from lxml import etree
from tests.faults.ledger import Tally
from tests.faults.load import BROKEN, Worker, working
from tests.support.limits import within
from tests.support.raw_client import SM, RawClient, StreamClosedError
from tests.support.server import ParleyServer, Person

PAIRS = 3
KILLS = 7
LONGEST_LIFE_S = 0.8
FINISH_S = 60
WINDOW = 50
BURST_S = 0.01
SETTINGS = {"limits": ["bytes_per_s = 100000000", "burst_bytes = 100000000", "sm_max_unacked = 100000"]}


class Resumer(Worker):
    """A client that signs in once, and from then on resumes.

    Attributes:
        sent: the texts, in order.
        received: the texts that came, in order.
        resumed, refused: how often its session was resumed, and how often it was not.
    """

    resource = "r"

    def __init__(self, server: ParleyServer, person: Person, peer: Person) -> None:
        super().__init__(server)
        self.person, self.peer = person, peer
        self.sent: list[str] = []
        self.received: list[str] = []
        self.resumed = self.refused = 0
        self._sm_id = ""
        self._handled = 0
        self._acked = 0
        self._unacked: list[str] = []

    @property
    def is_done(self) -> bool:
        return self.is_stopping and not self._unacked

    async def live(self) -> None:
        client = await RawClient("127.0.0.1", self.server.c2s_port).connect()
        try:
            await client.login(self.person.name, self.person.password)
            if self._sm_id:
                await self._resume(client)
            else:
                await client.bind(self.resource)
                await client.enable_sm(resume=True)
                self._sm_id = client.sm_id
                self.begin(client)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(client))
                await self._talk(client)
                reading.cancel()
        except* BROKEN as errors:
            raise StreamClosedError from errors
        finally:
            await client.close()

    def begin(self, client: RawClient) -> None:
        """Say what a session begins with."""
        self._say(client, "<presence/>")

    def speak(self, client: RawClient) -> None:
        """Say something."""
        text = f"{self.person.name} {len(self.sent)}"
        self.sent.append(text)
        self._say(client, f"<message to='{self.peer.address}' type='chat'><body>{text}</body></message>")

    async def _resume(self, client: RawClient) -> None:
        answer = await client.resume(self._sm_id, self._handled)
        if not answer.tag.endswith("}resumed"):
            self.refused += 1
            self.is_stopping = True
            self._unacked.clear()
            raise StreamClosedError
        self.resumed += 1
        self._acknowledged(answer)
        for stanza in self._unacked:
            client.send(stanza)

    async def _talk(self, client: RawClient) -> None:
        while not self.is_done:
            if not self.is_stopping and len(self._unacked) < WINDOW:
                for _ in range(random.randint(1, 5)):
                    self.speak(client)
            client.send(f"<r xmlns='{SM}'/>")
            await asyncio.sleep(BURST_S)

    def _say(self, client: RawClient, stanza: str) -> None:
        self._unacked.append(stanza)
        client.send(stanza)

    async def _read(self, client: RawClient) -> None:
        while True:
            self._take(client, await client.recv())

    def _take(self, client: RawClient, element: etree._Element) -> None:
        name = element.tag.rpartition("}")[2]
        if name == "a":
            self._acknowledged(element)
        elif name == "r":
            client.send(f"<a xmlns='{SM}' h='{self._handled}'/>")
        elif name in ("message", "presence", "iq"):
            self._handled += 1
            self.hear(element)

    def hear(self, stanza: etree._Element) -> None:
        """Note what comes."""
        body = stanza.findtext("{jabber:client}body")
        if body is not None:
            self.received.append(body)

    def _acknowledged(self, element: etree._Element) -> None:
        h = int(element.get("h", "0"))
        del self._unacked[: h - self._acked]
        self._acked = h


@within(170)
async def test_resumed_sessions_lose_and_double_nothing_over_kills() -> None:
    with ParleyServer(SETTINGS, people=2 * PAIRS) as server:
        people = [server.person() for _ in range(2 * PAIRS)]
        resumers = [Resumer(server, person, people[number ^ 1]) for number, person in enumerate(people)]
        async with working(resumers, FINISH_S):
            await kill_again_and_again(server, KILLS)
        for resumer in resumers:
            await collect(resumer)
    tally = Tally()
    for number, resumer in enumerate(resumers):
        tally.compare(f"to {resumer.person.name}", resumers[number ^ 1].sent, resumer.received)
    resumed, refused = (sum(getattr(resumer, name) for resumer in resumers) for name in ("resumed", "refused"))
    print(f"\nresumed: {resumed}, refused: {refused}, messages: {tally}")
    assert refused == 0
    assert resumed >= KILLS
    assert tally.acknowledged > 0
    assert tally.is_clean, tally.trouble


async def kill_again_and_again(server: ParleyServer, kills: int) -> None:
    """Some lives of random length, the last one without an end; every third ends as an operator would end it."""
    for number in range(kills):
        await asyncio.sleep(random.random() * LONGEST_LIFE_S)
        # What is to be resumed is the same.
        if number % 3:
            server.kill()
        else:
            await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
    await asyncio.sleep(LONGEST_LIFE_S)


async def collect(resumer: Resumer) -> None:
    """Take what came when the client had stopped already."""
    client = await RawClient("127.0.0.1", resumer.server.c2s_port).connect()
    await client.login(resumer.person.name, resumer.person.password)
    await resumer._resume(client)
    client.send("<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>")
    while (element := await client.recv()).get("id") != "end":
        resumer._take(client, element)
    await client.close()
