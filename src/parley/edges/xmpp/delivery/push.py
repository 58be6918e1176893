"""NOTIFY: devices that are not connected are woken by their push services (XEP-0357).

A follower of the pipeline. What is sent says that something waits, and nothing of what: not from whom, not how much.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.edges.xmpp.queries import QueryTimeoutError
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_PUBSUB

if TYPE_CHECKING:
    from parley.domain.messages import Appended, Submission
    from parley.domain.push import Registration
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

NS_PUSH: Final = "urn:xmpp:push:0"
_NOTIFICATION: Final = xml("notification", {"xmlns": NS_PUSH})
_CALL: Final = (b"urn:xmpp:jingle-message:", b"<propose")
_NOTICE: Final = b"affiliation"
# What of the affiliations lets nobody publish.
_ENDED: Final = frozenset({"none", "member", "outcast"})
_KEPT: Final = 10_000

_Place = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one notification. `problem` is empty when the service took it, `took_s` how long it needed."""

    registration: Registration
    problem: str
    took_s: float


class Push:
    """Knows the registrations of the accounts that messages come for, and notifies."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: OrderedDict[int, Sequence[Registration]] = OrderedDict()
        self._changes = 0
        self._woken: dict[_Place, float] = {}
        self._due: set[_Place] = set()

    # Registrations.

    async def of(self, account_id: int) -> Sequence[Registration]:
        """The account's registrations; raises StorageUnavailable."""
        known = self._known.get(account_id)
        if known is None:
            changes = self._changes
            known = tuple(await self._host.stores.push.all(account_id))
            # What was read while something changed may be out of date already.
            if changes == self._changes:
                self._known[account_id] = known
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return known

    async def enable(self, account_id: int, registration: Registration) -> None:
        """Wake a device from now on. Raises LimitReached, StorageUnavailable."""
        try:
            await self._host.stores.push.put(account_id, registration, self._host.settings.push.max_registrations)
        finally:
            self.forget(account_id)

    async def disable(self, account_id: int, service: str, node: str | None) -> None:
        """Wake no more by a service, or by one of its nodes. Raises StorageUnavailable."""
        try:
            await self._host.stores.push.remove(account_id, service, node)
        finally:
            self.forget(account_id)

    def forget(self, account_id: int) -> None:
        """The account's registrations are not what they were."""
        self._changes += 1
        self._known.pop(account_id, None)

    # Notifications.

    def notify(self, submission: Submission, _appended: Appended) -> None:
        """Wake who is to hear of a committed message: a follower of the pipeline."""
        account_id = submission.recipient_id
        if account_id is not None and _NOTICE in submission.content:
            self._host.supervisor.spawn("push", self._noticed(account_id, submission))
        if account_id is None or not submission.is_mailed or self._known.get(account_id) == ():
            return
        if submission.has_content or all(part in submission.content for part in _CALL):
            self.wake(account_id, submission.recipient)

    async def _noticed(self, account_id: int, submission: Submission) -> None:
        """Wake no more by a service that says so itself (XEP-0357 §8)."""
        try:
            node = _ended_in(Element.from_bytes(submission.content), submission.recipient)
            known = [(each.service, each.node) for each in await self.of(account_id)]
            if node is not None and (submission.sender, node) in known:
                await self.disable(account_id, submission.sender, node)
                log.info("a push service ended a registration", pii={"service": submission.sender})
        except (PayloadError, StorageUnavailable) as error:
            log.info("what a push service said was not followed", reason=type(error).__name__)

    def wake(self, account_id: int, address: str) -> None:
        """Something waits for the account: wake its devices that are not there."""
        known = self._known.get(account_id)
        if known is None:
            self._host.supervisor.spawn("push", self._look_up(account_id, address))
            return
        for registration in known:
            if not registration.is_resting and not self._is_there(address, registration):
                self._start(account_id, address, registration)

    async def _look_up(self, account_id: int, address: str) -> None:
        try:
            if await self.of(account_id):
                self.wake(account_id, address)
        except StorageUnavailable as error:
            log.error("push registrations cannot be read", code=error.code)

    def _is_there(self, address: str, registration: Registration) -> bool:
        session = self._host.router.of(address).get(registration.resource)
        return session is not None and session.connection is not None

    def _start(self, account_id: int, address: str, registration: Registration) -> None:
        place = (account_id, registration.service, registration.node)
        if place not in self._due:
            self._due.add(place)
            self._host.supervisor.spawn("push", self._notify_soon(place, address))

    async def _notify_soon(self, place: _Place, address: str) -> None:
        """Notify now, or when the time since the last notification has passed."""
        clock, account_id = self._host.clock, place[0]
        try:
            wait_s = self._woken.get(place, -1e9) + self._host.settings.push.min_interval_s - clock.monotonic()
            if wait_s > 0:
                await clock.sleep(wait_s)
            self._due.discard(place)
            for registration in await self.of(account_id):
                if (registration.service, registration.node) == place[1:] and not self._is_there(address, registration):
                    self._woken[place] = clock.monotonic()
                    await self.send(account_id, address, registration)
        except StorageUnavailable as error:
            log.error("push registrations cannot be read", code=error.code)
        finally:
            self._due.discard(place)
            self._forget_woken()

    def _forget_woken(self) -> None:
        if len(self._woken) > _KEPT:
            now, interval_s = self._host.clock.monotonic(), self._host.settings.push.min_interval_s
            self._woken = {place: at for place, at in self._woken.items() if at + interval_s > now}

    async def send(self, account_id: int, address: str, registration: Registration) -> Outcome:
        """Notify a service, wait for its answer and keep what it said. Raises StorageUnavailable."""
        host = self._host
        publish = xml("publish", {"node": registration.node or None}, xml("item", None, _NOTIFICATION))
        options = xml("publish-options", None, registration.options) if registration.options else b""
        payload = xml("pubsub", {"xmlns": NS_PUBSUB}, publish, options)
        service, started = JID.parse(registration.service), host.clock.monotonic()
        is_refusal = False
        try:
            timeout_s = host.settings.push.timeout_s
            answer = await host.queries.ask_at(host.post, service, payload, from_=address, timeout_s=timeout_s)
        except QueryTimeoutError:
            problem = "timeout"
        else:
            problem, is_refusal = _read(answer)
        after = (
            registration.failed(problem, is_refusal=is_refusal) if problem else registration.taken(host.clock.now_us())
        )
        await host.stores.push.note(account_id, after)
        self.forget(account_id)
        if problem:
            log.info("a push service did not take a notification", reason=problem, pii={"service": service})
        if after.is_resting and not registration.is_resting:
            self._tell(address, after)
        return Outcome(after, problem, host.clock.monotonic() - started)

    def _tell(self, address: str, registration: Registration) -> None:
        """The registration rests: its owner is told, as far as there is somebody to tell."""
        log.warning("a push registration rests", reason=registration.last_error, pii={"address": address})
        text = (
            f"Push notifications for {registration.resource} do not work: {registration.service} says"
            f" {registration.last_error}. Open the app on that device to set them up again."
        )
        to = JID.parse(address)
        attrs = {"from": to.domain, "to": address, "type": "headline"}
        self._host.post.send(xml("message", attrs, xml("body", None, text)), to)


def _ended_in(message: Element, address: str) -> str | None:
    """The node at which an account may publish no more, as a message says; None where it says nothing of the kind."""
    child = message.child(NS_PUBSUB, "pubsub")
    if child is None:
        return None
    pubsub = message.child_tree(child)
    # XEP-0060 §8.9.4 has an element more than XEP-0357 §8.
    for word in pubsub.iter(f"{{{NS_PUBSUB}}}affiliation"):
        around = word.getparent()
        if word.get("jid") == address and word.get("affiliation") in _ENDED and around is not None:
            return around.get("node", "")
    return None


def _read(answer: Element) -> tuple[str, bool]:
    """The problem that an answer tells of, empty when there is none, and whether asking again is of no use."""
    if answer.type != "error":
        return "", False
    error = next((child for child in answer.children if child.name == "error"), None)
    if error is None:
        return "undefined-condition", True
    tree = answer.child_tree(error)
    condition = next((str(child.tag).rpartition("}")[2] for child in tree), "undefined-condition")
    # A service that is not reached today may be tomorrow.
    is_passing = tree.get("type") == "wait" or condition.startswith("remote-server")
    return condition, not is_passing
