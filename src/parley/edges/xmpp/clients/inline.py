"""Signing in and all that goes with it in one exchange (XEP-0388): tasks, resumption, binding, tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.accounts import Credential
from parley.domain.errors import StorageUnavailable
from parley.edges.xmpp.clients import bind2
from parley.edges.xmpp.clients.binding import AccountClosed, Installation, note_device
from parley.edges.xmpp.clients.resumption import resume_inline
from parley.protocols.xmpp import fast, scram_upgrade
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import PayloadError, SASLCondition, SASLError, StanzaError, StreamCondition
from parley.protocols.xmpp.namespaces import NS_BIND2, NS_FAST, NS_SM

if TYPE_CHECKING:
    from parley.domain.tokens import Token
    from parley.edges.xmpp.clients.authentication import Authentication, SignedIn
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.clients.session import Session
    from parley.identity.sign_in import SignIn
    from parley.protocols.xmpp.c2s import ClientStream
    from parley.protocols.xmpp.sasl2 import Authenticate

log = logs.get(__name__)

_SALT_BYTES: Final = 16
_NO_ROOM: Final = xml("resource-constraint", {"xmlns": "urn:ietf:params:xml:ns:xmpp-stanzas"})


class InlineSignIn:
    """One `<authenticate/>`, from the first step of the mechanism to the features behind the success.

    Args:
        connection: the client's.
        stream: the connection's.
        authentication: the exchange of the mechanism.
        sign_in: what `identity` knows.
        request: what the client asked for.
    """

    def __init__(
        self,
        connection: Connection,
        stream: ClientStream,
        authentication: Authentication,
        sign_in: SignIn,
        request: Authenticate,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._authentication = authentication
        self._sign_in = sign_in
        self._request = request
        self._tasks: list[str] = []
        self._salt = b""
        self._signed_in: SignedIn | None = None
        self._is_noted = False
        agent = request.agent
        self._installation = Installation(sign_in.tokens.client_of(agent.id), agent.software, agent.device)

    async def begin(self) -> None:
        """The client's choice of a mechanism."""
        request = self._request
        await self._proved(await self._authentication.begin(request.mechanism, request.initial, request))

    async def respond(self, data: bytes) -> None:
        """The client's answer to a challenge."""
        await self._proved(await self._authentication.respond(data))

    async def _proved(self, signed_in: SignedIn | None) -> None:
        if signed_in is None:
            return
        self._signed_in = signed_in
        try:
            self._tasks = await self._wanted_tasks(signed_in)
        except StorageUnavailable as error:
            # They can be done at another time.
            log.error("no task was offered", code=error.code)
        await self._go_on(signed_in, signed_in.data)

    async def _wanted_tasks(self, signed_in: SignedIn) -> list[str]:
        """The tasks that the client offers and that there is something to win by.

        Only who has shown the password may add to what it is known by: a token or a device's own credential must not
        become a new password.
        """
        if not signed_in.has_password or not self._request.upgrades:
            return []
        known = {f"SCRAM-{name}" for name in await self._sign_in.mechanisms(signed_in.account.address)}
        offered = [task for task in self._request.upgrades if task in scram_upgrade.TASKS]
        return [task for task in offered if scram_upgrade.mechanism_of(task) not in known]

    async def _go_on(self, signed_in: SignedIn, data: bytes | None) -> None:
        if self._tasks:
            self._salt = b""
            self._stream.continue_with(self._tasks[0], data)
        else:
            await self._complete(signed_in, data)

    # Tasks (XEP-0480).

    async def choose(self, task: str) -> None:
        """The client begins a task."""
        if self._salt or not self._tasks or task != self._tasks[0]:
            self._refuse(SASLCondition.MALFORMED_REQUEST, "another task was asked for")
            return
        self._salt = secrets.token_bytes(_SALT_BYTES)
        self._stream.task_data(scram_upgrade.parameters(self._salt, self._iterations))

    async def answer(self, element: Element) -> None:
        """The client's part of a task."""
        signed_in = self._signed_in
        if signed_in is None or not self._salt:
            self._refuse(SASLCondition.MALFORMED_REQUEST, "no task was begun")
            return
        task = self._tasks.pop(0)
        try:
            keys = scram_upgrade.parse_keys(element, task, self._salt, self._iterations)
            name = scram_upgrade.mechanism_of(task).removeprefix("SCRAM-")
            credential = Credential(name, keys.salt, keys.iterations, keys.stored_key, keys.server_key)
            await self._sign_in.add_credential(signed_in.account, credential)
        except SASLError as error:
            self._refuse(error.condition, error.text)
        except PayloadError:
            self._refuse(SASLCondition.MALFORMED_REQUEST, "the answer cannot be read")
        except StorageUnavailable as error:
            self._refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, "try again later", error.code)
        else:
            await self._go_on(signed_in, None)

    @property
    def _iterations(self) -> int:
        return self._connection.host.settings.login.scram_iterations

    # What the client wants besides.

    async def _complete(self, signed_in: SignedIn, data: bytes | None) -> None:
        connection = self._connection
        connection.signed_in = signed_in
        connection.installation = self._installation
        results: list[bytes] = []
        try:
            session = await self._session(signed_in, results)
        except StanzaError as error:
            # There is no answer to <bind/> that says no. This one lets the client try again with what it has.
            connection.signed_in = None
            self._refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, error.text, error.code, _NO_ROOM)
            return
        except AccountClosed:
            connection.fail(StreamCondition.NOT_AUTHORIZED, "the account is closed")
            return
        results += await self._tokens(signed_in, session)
        if connection.is_open:
            identifier = signed_in.account.address if session is None else str(session.jid)
            self._stream.authenticated(identifier, data, results, is_bound=session is not None)

    async def _session(self, signed_in: SignedIn, results: list[bytes]) -> Session | None:
        """The session that the client gets, resumed or new, if it asked for one; adds what is answered to `results`."""
        resume = self._request.inline.get((NS_SM, "resume"))
        if resume is not None:
            # XEP-0386 §3.2: resumption comes first, and when it succeeds nothing is bound.
            session, answer = await resume_inline(self._connection, signed_in.account, Element.from_tree(resume))
            results.append(answer)
            if session is not None:
                return session
        wanted = self._request.inline.get((NS_BIND2, "bind"))
        if wanted is None or not self._connection.is_open:
            return None
        session, answer = await bind2.bind(self._connection, self._sign_in, signed_in, wanted, self._installation)
        self._is_noted = True
        results.append(answer)
        return session

    # Tokens (XEP-0484).

    async def _tokens(self, signed_in: SignedIn, session: Session | None) -> list[bytes]:
        tokens, client = self._sign_in.tokens, self._installation.client
        is_last = self._is_last(signed_in)
        if is_last:
            await tokens.forget(signed_in.account.id, client)
        mechanism = self._wanted_token(None if is_last else signed_in.token)
        if not mechanism or not client or not tokens.are_given or not self._connection.is_open:
            return []
        try:
            # A token belongs to a device that its owner sees and can revoke.
            if not self._is_noted:
                await self._note_device(signed_in, session)
            given = await tokens.issue(signed_in.account.id, client, mechanism, signed_in.resource)
        except (StanzaError, AccountClosed):
            return []
        except StorageUnavailable as error:
            log.error("a token was not given", code=error.code)
            return []
        return [] if given is None else [fast.token_element(*given)]

    async def _note_device(self, signed_in: SignedIn, session: Session | None) -> None:
        account = signed_in.account
        resource = signed_in.resource or self._sign_in.tokens.resource_of(account.id, self._installation.client)
        if session is not None:
            resource = session.jid.resource
        await note_device(self._connection, account, resource, self._installation)

    def _is_last(self, signed_in: SignedIn) -> bool:
        element = self._request.inline.get((NS_FAST, "fast"))
        return signed_in.token is not None and element is not None and fast.parse_fast(element).is_invalidating

    def _wanted_token(self, used: Token | None) -> str:
        """The mechanism that the client is to get a token for, "" for none."""
        asked = self._request.inline.get((NS_FAST, "request-token"))
        mechanism = "" if asked is None else asked.get("mechanism", "")
        if mechanism in fast.offered(self._stream.channel_bindings):
            return mechanism
        return used.mechanism if used is not None and self._sign_in.tokens.is_due(used) else ""

    def _refuse(
        self, condition: SASLCondition, text: str, code: str = "malformed-request", application: bytes = b""
    ) -> None:
        self._authentication.refuse(condition, text, code, application)
