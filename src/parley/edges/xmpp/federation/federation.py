"""Federation as a whole: the way out for the rest of the edge, the way in for partners, and what both share."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from parley.base import log as logs
from parley.base.net.identities import is_valid_for
from parley.domain.errors import StorageUnavailable
from parley.edges.xmpp.federation.connection import Parcel, ServerConnection
from parley.edges.xmpp.federation.dialing import Dialer
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.kinds import kind_of
from parley.edges.xmpp.federation.links import Link, Links
from parley.edges.xmpp.federation.listening import ServerListener
from parley.edges.xmpp.federation.managing import Management, Resumable
from parley.edges.xmpp.federation.ports import Direction, Outbox, Pair, Policy, Refusal
from parley.protocols.xmpp.dialback import Dialback
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import (
    PayloadError,
    StanzaCondition,
    StanzaError,
    StreamCondition,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.s2s import ServerStreamConfig, StanzaArrived

if TYPE_CHECKING:
    from parley.base.net.resolver import Resolver
    from parley.base.net.server_tls import ServerTls
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_TICK_S: Final = 1.0
_EXPIRY_TICKS: Final = 15
_LAST_WORD_S: Final = 2.0
"""For partners to say what arrived, before the server ends."""
_PAGE: Final = 200
_SUSPECTS_KEPT: Final = 1000
_SUSPECT_S: Final = 3600.0
_MOST_VERIFYING: Final = 100
_QUIET: Final = re.compile(rb"""<presence\s(?![^>]*\stype\s*=\s*["']subscribe["'])""")


class Federation:
    """Streams to and from other servers. An async context manager: entered, it listens and sends what waits.

    Args:
        host: the XMPP edge.
        policy: who may talk with us.
        outbox: what survives a restart.
        resolver: where other servers are.
        tls: for connections in both directions.
        secret: for keys of dialback.
    """

    def __init__(
        self,
        host: Host,
        policy: Policy,
        outbox: Outbox,
        *,
        resolver: Resolver,
        tls: ServerTls,
        secret: bytes,
    ) -> None:
        self.host = host
        self.policy = policy
        self.outbox = outbox
        self.tls = tls
        self._secret = secret
        self.dialer = Dialer(self, resolver)
        self.links = Links(self)
        self.listener = ServerListener(self)
        self.resumable = Resumable(
            lambda: secrets.token_urlsafe(18), lambda: self.host.settings.federation.max_connections
        )
        self.probes: dict[str, Management] = {}
        """Pings that ask in place of stream management what arrived, by their ids."""
        self._connections: set[ServerConnection] = set()
        self._all_gone = asyncio.Event()
        self._all_known = asyncio.Event()
        """Nothing that was sent waits to be acknowledged; looked after while it is not set."""
        self._all_known.set()
        self._verifying = 0
        self._suspects: OrderedDict[str, float] = OrderedDict()
        self.configure()

    def configure(self) -> None:
        """Take the settings in force, for streams to come."""
        limits = self.host.settings.limits
        most = self.host.settings.federation.max_stanza_bytes

        def framing(max_stanza_bytes: int) -> FramingLimits:
            return FramingLimits(
                max_stanza_bytes=max_stanza_bytes,
                max_depth=limits.max_depth,
                max_attributes=limits.max_attributes,
                max_children=limits.max_children,
            )

        self.stream_config = ServerStreamConfig(
            domains=self._is_ours,
            primary_domain=self.host.domains[0],
            secret=self._secret,
            is_tls_required=True,
            limits=framing(limits.max_stanza_bytes_unauthenticated),
            authenticated_limits=framing(most),
        )

    def _is_ours(self, domain: str) -> bool:
        return self.host.router.service(domain) is not None or domain in self.host.components

    # Over time.

    async def __aenter__(self) -> Self:
        """Open the ports.

        Raises:
            ConfigError: an address cannot be listened at.
        """
        self.tls.trust(self.policy.authorities())
        await self.listener.open()
        self.host.federation = self
        self.host.metrics.watch_queue("federation", lambda: self.links.waiting)
        self.host.supervisor.service("federation", self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Listen no more and end all streams; what came in is handled and acknowledged first, within a bounded time."""
        self.listener.close()
        timeout_s = self.host.settings.limits.drain_timeout_s
        await self._hear_what_arrived(min(timeout_s, _LAST_WORD_S))
        for connection in list(self._connections):
            if connection.wire is None:
                # It is being opened still: the supervisor ends that.
                self._connections.discard(connection)
            else:
                connection.cut(StreamCondition.SYSTEM_SHUTDOWN, "")
        if self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._all_gone.wait()
        for connection in list(self._connections):
            connection.abort()

    async def _hear_what_arrived(self, timeout_s: float) -> None:
        """Ask partners what they have, so that it is not sent again after a restart."""
        for connection in self._connections:
            if connection.is_open and connection.managed.outstanding:
                connection.managed.request()
        self._all_known.clear()
        self._note_what_is_known()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._all_known.wait()

    def _note_what_is_known(self) -> None:
        if not any(each.is_open and each.managed.outstanding for each in self._connections):
            self._all_known.set()

    async def _run(self) -> None:
        for pair in await self.outbox.pairs():
            await self._load(pair)
        ticks = 0
        while True:
            await self.host.clock.sleep(_TICK_S)
            self.tick(self.host.clock.monotonic())
            ticks += 1
            if ticks % _EXPIRY_TICKS == 0:
                self.resumable.expire(self.host.clock.monotonic())
                await self._expire()

    async def _load(self, pair: Pair) -> None:
        """Stanzas of an earlier run go first."""
        try:
            link = self.links.get(pair)
        except StanzaError:
            log.warning("what waits for a partner is left for the next start", partner=pair.remote)
            return
        after = 0
        while page := await self.outbox.take(pair, after, _PAGE):
            for waiting in page:
                link.send(Parcel(waiting.stanza, waiting.seq))
            after = page[-1].seq

    def agreements_changed(self) -> None:
        """Do at once what follows from other agreements; certificates that were refused are asked for again."""
        self._suspects.clear()
        self.tick(self.host.clock.monotonic())

    def tick(self, now: float) -> None:
        """Do what is due at `now`, monotonic seconds."""
        self.tls.trust(self.policy.authorities())
        for connection in list(self._connections):
            refusal = self._revoked(connection)
            if refusal is not None:
                self.refused(refusal, connection.remote, connection.direction)
                connection.cut(StreamCondition.POLICY_VIOLATION, refusal.text or "this domain is not welcome here")
            else:
                connection.tick(now)
        self.links.tick()

    def _revoked(self, connection: ServerConnection) -> Refusal | None:
        """An agreement may end while a stream is there."""
        remote = connection.remote
        if not remote or not connection.is_open:
            return None
        incoming, outgoing = self.policy.incoming(remote), self.policy.outgoing(remote)
        if connection.direction == "out" and isinstance(outgoing, Refusal):
            return outgoing
        # On a stream of ours the partner's stanzas are refused one by one, unless they are too many for that.
        if isinstance(incoming, Refusal) and (connection.direction == "in" or incoming.ends_streams):
            return incoming
        return None

    async def _expire(self) -> None:
        try:
            while expired := await self.outbox.expired(_PAGE):
                for waiting in expired:
                    link = self.links.find(waiting.pair)
                    if link is not None:
                        link.forget({waiting.seq})
                    error = StanzaError(StanzaCondition.REMOTE_SERVER_TIMEOUT, "it was not reached in time")
                    self.give_back(waiting.stanza, waiting.seq, error)
        except StorageUnavailable as failure:
            log.error("what has waited too long cannot be read", code=failure.code)

    # The way out.

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        """See `Abroad.send`."""
        self._admitted(stanza, sender, to, is_kept=False).send(Parcel(stanza))

    def keep(self, stanza: bytes, sender: JID, to: JID) -> None:
        """See `Federated.keep`."""
        link = self._admitted(stanza, sender, to, is_kept=True)
        parcel = Parcel(stanza, is_ready=False)

        def stored(outcome: int | StorageUnavailable) -> None:
            # What could not be stored is sent all the same.
            parcel.seq = 0 if isinstance(outcome, StorageUnavailable) else outcome
            parcel.is_ready = True
            link.flush()

        self.outbox.put(link.pair, stanza, stored)
        link.send(parcel)

    def check(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Whether a message may be queued for a partner: asked before it is committed; raises StanzaError."""
        self.outbox.check(to.domain, len(stanza))
        self._admitted(stanza, sender, to, is_kept=True)

    def depart(self, stanza: bytes, sender: JID, to: JID, seq: int) -> None:
        """Send a message that is in the outbox under `seq`."""
        self.outbox.written(seq, to.domain, len(stanza))
        try:
            self.links.get(Pair(sender.domain, to.domain)).send(Parcel(stanza, seq))
        except StanzaError as error:
            self.give_back(stanza, seq, error)

    def _admitted(self, stanza: bytes, sender: JID, to: JID, *, is_kept: bool) -> Link:
        permission = self.policy.outgoing(to.domain)
        if isinstance(permission, Refusal):
            self.refused(permission, to.domain, Direction.OUT)
            raise StanzaError(permission.condition, permission.text)
        link = self.links.get(Pair(sender.domain, to.domain))
        link.check(is_kept=is_kept)
        kind = kind_of(stanza, is_for_room=self.host.router.service(sender.domain) == "rooms")
        verdict = self.policy.stanza(to.domain, Direction.OUT, kind, len(stanza))
        if isinstance(verdict, Refusal):
            self.refused(verdict, to.domain, Direction.OUT)
            raise StanzaError(verdict.condition, verdict.text)
        return link

    def reply(self, stanza: bytes) -> None:
        """Send what answers a partner's stanza; when it cannot go there, nobody needs to know."""
        element = Element.from_bytes(stanza)
        sender, to = JID.parse(element.from_ or self.host.domains[0]), JID.parse(element.to or "")
        try:
            if element.type != "error":
                self.send(stanza, sender, to)
                return
            # What a rule refuses is refused with an error, which that rule would refuse too.
            link = self.links.get(Pair(sender.domain, to.domain))
            link.check(is_kept=False)
            link.send(Parcel(stanza))
        except StanzaError as error:
            log.debug("an answer to a partner was dropped", reason=error.code)

    def give_back(self, stanza: bytes, seq: int, error: StanzaError) -> None:
        """A stanza does not reach the partner: its sender is told."""
        self.settled((seq,))
        if _QUIET.match(stanza):
            # Who is not reached does not see that somebody is there: no more is lost.
            return
        try:
            element = Element.from_bytes(stanza)
        except PayloadError:
            return
        if not may_be_answered(element) or not element.from_:
            return
        self.host.metrics.bounced(error.code)
        self.host.post.send(error_reply(element, error), JID.parse(element.from_))

    def settled(self, seqs: Iterable[int]) -> None:
        """Nothing more is to be done about these of the outbox; 0 for what is not there."""
        known = [seq for seq in seqs if seq]
        if known:
            self.outbox.remove(known)
        if not self._all_known.is_set():
            self._note_what_is_known()

    # For connections.

    def opened(self, connection: ServerConnection) -> None:
        """A connection is up."""
        self._connections.add(connection)
        self._all_gone.clear()

    def forget(self, connection: ServerConnection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        self.listener.closed(connection)
        if not self._all_known.is_set():
            self._note_what_is_known()
        if not self._connections:
            self._all_gone.set()

    def connections(self) -> Sequence[ServerConnection]:
        """Those that are up."""
        return tuple(self._connections)

    def heard_from(self, pair: Pair, connection: ServerConnection) -> None:
        """A stream of this pair is authentic: where stanzas of ours may go out on it, they do."""
        if connection.carries_ours:
            try:
                self.links.get(pair).use(connection)
            except StanzaError as error:
                log.warning("a stream is not used for stanzas of ours", partner=pair.remote, reason=error.text)
        for link in self.links.of(pair.remote):
            link.partner_is_there()

    def is_answer_to_ping(self, arrived: StanzaArrived) -> bool:
        """Take an iq that answers a ping of one of our streams, on whichever stream it comes."""
        element = arrived.element
        probe = self.probes.get(element.id or "") if element.name == "iq" else None
        if probe is None or element.type not in ("result", "error") or not probe.is_answer(arrived.sender, arrived.to):
            return False
        # An error says as much: it was read behind the others.
        probe.answered()
        return True

    async def verify(self, question: Dialback, stream_id: str) -> str:
        """Ask the server of `question.sender` whether a stream is its own; raises Unreachable.

        Its certificate must be valid, as one shown on the stream itself would have to be, unless an agreement says
        that the name system is enough.
        """
        permission = self.policy.incoming(question.sender)
        if isinstance(permission, Refusal):
            raise Unreachable(permission.rule, permission.text, StanzaCondition.NOT_ALLOWED, is_final=True)
        if self._verifying >= _MOST_VERIFYING:
            # Who calls may name any domain: we are not to call them all for it.
            raise Unreachable("too-many-dialbacks", "too much is being asked", StanzaCondition.RESOURCE_CONSTRAINT)
        asked = Dialback("verify", question.to, question.sender, id=stream_id, key=question.key)
        self._verifying += 1
        try:
            async with asyncio.timeout(self.host.settings.federation.negotiate_timeout_s):
                return await self.dialer.verify(asked, permission)
        except TimeoutError as error:
            raise Unreachable("timeout", "the server that answers for the domain did not, in time") from error
        finally:
            self._verifying -= 1

    def certificate_problem(self, domain: str, chain: Sequence[bytes]) -> Unreachable | None:
        """Why a certificate that was verified does not prove that its owner is `domain`."""
        if not chain:
            return self._mistrust("certificate-untrusted", "there is no certificate")
        if not is_valid_for(chain[0], domain):
            return self._mistrust("certificate-wrong-name", f"the certificate is not for {domain}")
        refusal = self.policy.certificate(domain, chain)
        if refusal is None:
            return None
        self.refused(refusal, domain, "certificate")
        return self._mistrust("certificate-refused", f"{refusal.rule}: {refusal.text}")

    def _mistrust(self, code: str, message: str) -> Unreachable:
        text = "the other server's certificate is not valid"
        return Unreachable(code, message, is_final=True, text=text)

    def accepting_context(self, peer: str) -> ssl.SSLContext:
        """How to shake hands with who calls: a certificate that was refused a while ago is not asked for again."""
        since = self._suspects.get(peer)
        if since is None or self.host.clock.monotonic() - since > _SUSPECT_S:
            return self.tls.accepting
        return self.tls.accepting_anybody

    def handshake_failed(self, peer: str, error: OSError, partner: str = "") -> None:
        """Note that TLS with a peer that called did not come about."""
        log.info("handshake with a server failed", partner=partner, reason=str(error), pii={"peer": peer})
        self.host.metrics.refused("tls-failed")
        if isinstance(error, ssl.SSLCertVerificationError):
            # TLS fails with a certificate that is not valid. Without one there is still dialback.
            self._suspects[peer] = self.host.clock.monotonic()
            self._suspects.move_to_end(peer)
            while len(self._suspects) > _SUSPECTS_KEPT:
                self._suspects.popitem(last=False)

    def refused(self, refusal: Refusal, domain: str, what: str) -> None:
        """A rule of the policy said no."""
        self.host.metrics.refused(refusal.rule)
        log.info("refused by policy", rule=refusal.rule, partner=domain, what=str(what), reason=refusal.text)
