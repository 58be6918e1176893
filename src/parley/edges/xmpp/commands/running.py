"""Commands in progress: each belongs to the client that began it, lives a while, and there are only so many."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.commands.command import Caller, Command, Outcome, Stage
from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.commands import (
    NS_COMMANDS,
    Action,
    CommandCondition,
    CommandReply,
    CommandRequest,
    Status,
    parse_command,
    refusal,
)
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DATA

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import IqRequest
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.jid import JID

LIFETIME_S: Final = 600.0
"""Time for each step."""

MOST_OF_ONE: Final = 8
"""Commands in progress of one client; the one that was left alone for longest makes room."""

MOST: Final = 1000
"""Commands in progress of all."""

_MOST_STAGES: Final = 32
_MOST_ENDED: Final = 1000


@dataclass(slots=True)
class _Running:
    command: Command
    sender: JID
    ends_at: float
    stages: list[Stage] = field(default_factory=list)


class Commands:
    """All commands of the extensions, and those in progress."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._commands = {command.node: command for extension in host.extensions for command in extension.commands}
        self._running: OrderedDict[str, _Running] = OrderedDict()
        self._ended: OrderedDict[str, JID] = OrderedDict()
        """Sessions that were completed or cancelled, or made room, and whose they were."""

    # Discovery (XEP-0050 §2.2).

    def has_node(self, node: str) -> bool:
        """Whether a node of the server is that of the commands, or of one of them."""
        return node == NS_COMMANDS or node in self._commands

    def info(self, node: str, asker: JID) -> bytes:
        """The disco#info of a node; raises StanzaError for a command that is not for `asker`."""
        if node == NS_COMMANDS:
            identity = Identity("automation", "command-list", name="Commands")
            return DiscoInfo((identity,), (NS_COMMANDS,)).to_bytes(node)
        command = self._allowed(node, asker)
        identity = Identity("automation", "command-node", name=command.name)
        return DiscoInfo((identity,), (NS_COMMANDS, NS_DATA)).to_bytes(node)

    def items(self, node: str, asker: JID, at: JID) -> list[bytes]:
        """The disco#items of a node: of the commands those that are for `asker`; a command has none."""
        if node != NS_COMMANDS:
            self._allowed(node, asker)
            return []
        allowed = [each for each in self._commands.values() if each.is_allowed(self._host, asker)]
        return [xml("item", {"jid": str(at), "node": each.node, "name": each.name}) for each in allowed]

    # Execution.

    async def answer(self, request: IqRequest) -> bytes:
        """Take the next step of a command; raises StanzaError or a DomainError."""
        asked = parse_command(request.tree)
        command = self._allowed(asked.node, request.sender)
        caller = Caller(self._host, request.sender, request.to.domain)
        if not asked.session_id:
            if asked.action is not Action.EXECUTE:
                raise refusal(CommandCondition.BAD_ACTION, "a command begins with execute")
            return self._reply(asked.node, "", await command.begin(caller), caller, command)
        running = self._find(asked, request.sender)
        return await self._step(running, asked, caller)

    async def _step(self, running: _Running, asked: CommandRequest, caller: Caller) -> bytes:
        stage = running.stages[-1]
        action = _default(stage) if asked.action is Action.EXECUTE else asked.action
        if action is Action.CANCEL:
            self._end(asked.session_id, running.sender)
            return CommandReply(asked.node, asked.session_id, Status.CANCELED).to_bytes()
        if action is Action.PREV:
            if len(running.stages) == 1:
                raise refusal(CommandCondition.BAD_ACTION, "this is the first step")
            running.stages.pop()
            return self._executing(asked.node, asked.session_id, running)
        if action is not _default(stage):
            raise refusal(CommandCondition.BAD_ACTION, "not at this step")
        if asked.form is None:
            raise refusal(CommandCondition.BAD_PAYLOAD, "the form is missing")
        result = await stage.submit(caller, asked.form)
        return self._reply(asked.node, asked.session_id, result, caller, running.command)

    def _reply(self, node: str, session_id: str, result: Stage | Outcome, caller: Caller, command: Command) -> bytes:
        if isinstance(result, Outcome):
            # §2.4: a command that needs no steps has a session id too.
            done = session_id or secrets.token_urlsafe(12)
            self._end(done, caller.sender)
            return CommandReply(node, done, Status.COMPLETED, result.form, result.notes).to_bytes()
        if not session_id:
            session_id = secrets.token_urlsafe(18)
            self._make_room(caller.sender)
            self._running[session_id] = _Running(command, caller.sender, 0.0)
        running = self._running[session_id]
        if len(running.stages) >= _MOST_STAGES:
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)
        running.stages.append(result)
        return self._executing(node, session_id, running)

    def _executing(self, node: str, session_id: str, running: _Running) -> bytes:
        running.ends_at = self._host.clock.monotonic() + LIFETIME_S
        self._running.move_to_end(session_id)
        stage = running.stages[-1]
        default = _default(stage)
        actions = [*([Action.PREV] if len(running.stages) > 1 else []), default]
        return CommandReply(node, session_id, Status.EXECUTING, stage.form, (), actions, default).to_bytes()

    def _allowed(self, node: str, asker: JID) -> Command:
        command = self._commands.get(node)
        if command is None:
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        if not command.is_allowed(self._host, asker):
            raise StanzaError(StanzaCondition.FORBIDDEN)
        return command

    def _find(self, asked: CommandRequest, sender: JID) -> _Running:
        if self._ended.get(asked.session_id) == sender:
            # §4.4: one that was completed or cancelled is no longer active either.
            raise refusal(CommandCondition.SESSION_EXPIRED)
        running = self._running.get(asked.session_id)
        if running is None or running.sender != sender or running.command.node != asked.node:
            raise refusal(CommandCondition.BAD_SESSIONID)
        if self._host.clock.monotonic() >= running.ends_at:
            # It stays until it has to make room, so that whoever comes late learns why.
            raise refusal(CommandCondition.SESSION_EXPIRED)
        return running

    def _end(self, session_id: str, sender: JID) -> None:
        self._running.pop(session_id, None)
        self._ended[session_id] = sender
        while len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def _make_room(self, sender: JID) -> None:
        own = [session_id for session_id, running in self._running.items() if running.sender == sender]
        for session_id in own[: len(own) - MOST_OF_ONE + 1] if len(own) >= MOST_OF_ONE else []:
            self._end(session_id, sender)
        while len(self._running) >= MOST:
            session_id = next(iter(self._running))
            self._end(session_id, self._running[session_id].sender)


def _default(stage: Stage) -> Action:
    return Action.COMPLETE if stage.is_last else Action.NEXT
