"""One SASL exchange of one stream (RFC 6120 §6, XEP-0388): syntax by `protocols/xmpp`, claims by `identity`."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.identity.sign_in import ANY_HASH, Claim, SignIn, Throttled, fits
from parley.protocols.xmpp import fast
from parley.protocols.xmpp.errors import JIDError, SASLCondition, SASLError, ScramError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_FAST
from parley.protocols.xmpp.sasl import parse_plain
from parley.protocols.xmpp.scram import BINDING_ERRORS, ScramKeys, ScramServer, offer_hash

if TYPE_CHECKING:
    from parley.domain.accounts import Account, Credential
    from parley.domain.tokens import Token
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.c2s import ClientStream
    from parley.protocols.xmpp.sasl2 import Authenticate

log = logs.get(__name__)

_SCRAM: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")
_NONCE_BYTES: Final = 24
_MOST_REFUSALS: Final = 20
# What says nothing of a password. Who may not use one mechanism is free to try the next.
_NO_GUESSES: Final = frozenset(
    {
        SASLCondition.ABORTED,
        SASLCondition.CREDENTIALS_EXPIRED,
        SASLCondition.ENCRYPTION_REQUIRED,
        SASLCondition.INVALID_MECHANISM,
    }
)
_CHECKS_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)


def mechanisms(channel_bindings: Mapping[str, bytes], is_secure: bool, hashes: Collection[str]) -> tuple[str, ...]:
    """What to offer, strongest first. PLAIN only where TLS hides it (RFC 6120 §13.8.3)."""
    scram = tuple(name for name in _SCRAM if name.removeprefix("SCRAM-") in hashes)
    plus = tuple(f"{name}-PLUS" for name in scram) if channel_bindings else ()
    return (*plus, *scram, *(("PLAIN",) if is_secure else ()))


class PasswordChecks:
    """Checks passwords in threads, a few at a time: a flood of guesses waits its turn and leaves others the machine."""

    def __init__(self, _host: Host) -> None:
        self._turns = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def fits(self, password: str, credential: Credential) -> bool:
        """Whether a password is the one."""
        async with self._turns:
            return await asyncio.to_thread(fits, password, credential)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The outcome of an exchange.

    Attributes:
        account: who signed in.
        resource: the one device that the credential is for, "" when that is free.
        data: what the mechanism still has to say to the client, None for nothing.
        token: the token that was used; without one it was a password, of the account or of the device.
    """

    account: Account
    resource: str
    data: bytes | None = None
    token: Token | None = None

    @property
    def has_password(self) -> bool:
        """Whether the client has shown that it knows the account's password."""
        return self.token is None and not self.resource


class Authentication:
    """The exchange in progress. Each step answers through the stream, but the last one, which returns who signed in."""

    def __init__(self, host: Host, sign_in: SignIn, stream: ClientStream, peer: str) -> None:
        self._host = host
        self._sign_in = sign_in
        self._stream = stream
        self._peer = peer
        self._mechanism = ""
        self._request: Authenticate | None = None
        self._scram: ScramServer | None = None
        self._claim: Claim | None = None
        self._name = self._address = ""
        self._guesses = self._refusals = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the stream has had all the tries it gets (RFC 6120 §6.4.5).

        Those that might have been guesses are as many as the settings say; a mechanism that is refused as such is none.
        """
        most = self._host.settings.login.attempts_per_stream
        return self._guesses >= most or self._refusals >= max(most, _MOST_REFUSALS)

    def count(self, condition: SASLCondition, code: str = "") -> None:
        """A try has ended with this condition; `code` may say more."""
        self._refusals += 1
        self._guesses += condition not in _NO_GUESSES and code not in BINDING_ERRORS

    async def begin(
        self, mechanism: str, initial: bytes | None, request: Authenticate | None = None
    ) -> SignedIn | None:
        """The client chose a mechanism; `request` is all that it said in the newer profile."""
        self._mechanism = mechanism
        self._request = request
        self._claim = None
        self._scram = None
        self._name = self._address = ""
        if mechanism.startswith("SCRAM-"):
            is_plus_offered = any(name.endswith("-PLUS") for name in self._stream.offered)
            self._scram = ScramServer(mechanism, self._stream.channel_bindings, is_plus_offered)
        if initial is None:
            self._stream.challenge(b"")
            return None
        return await self.respond(initial)

    async def respond(self, data: bytes) -> SignedIn | None:
        """The client's initial response, or its answer to a challenge."""
        try:
            return await self._step(data)
        except Throttled as error:
            self.refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, "too many failures, try again later", error.code)
        except StorageUnavailable as error:
            log.error("sign-in failed", mechanism=self._mechanism, code=error.code)
            self.refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, "try again later", error.code)
        except SASLError as error:
            is_wrong = error.condition is SASLCondition.NOT_AUTHORIZED and error.code not in BINDING_ERRORS
            if self._name and is_wrong:
                self._sign_in.failed(self._name, self._peer)
            # RFC 5802 §7: the server's last message says what was wrong, where the profile has a place for it.
            last = f"e={error.code}".encode() if isinstance(error, ScramError) else None
            self.refuse(error.condition, error.text, error.code, data=last)
        return None

    def refuse(
        self, condition: SASLCondition, text: str, code: str, application: bytes = b"", *, data: bytes | None = None
    ) -> None:
        """End the exchange; the client may try again as often as the settings say."""
        self.count(condition, code)
        self._host.metrics.login("throttled" if code == "throttled" else "rejected")
        pii = {"address": self._address, "peer": self._peer}
        log.info("sign-in refused", mechanism=self._mechanism, reason=code, pii=pii)
        self._stream.auth_failed(condition, text, application, data)

    async def _step(self, data: bytes) -> SignedIn | None:
        scram = self._scram
        if scram is None:
            return await (self._plain(data) if self._mechanism == "PLAIN" else self._token(data))
        if self._claim is None:
            first = scram.first(data)
            hash_name = self._mechanism.removeprefix("SCRAM-").removesuffix("-PLUS")
            claim = await self._claimed(first.username, first.authzid, hash_name)
            kept = claim.credential
            keys = ScramKeys(kept.salt, kept.iterations, kept.stored_key, kept.server_key)
            offer = offer_hash(self._mechanism, self._stream.offered, self._stream.channel_bindings)
            self._stream.challenge(scram.challenge(keys, secrets.token_urlsafe(_NONCE_BYTES), offer))
            return None
        # The throttle may have closed since the challenge: many exchanges can be open at once.
        self._sign_in.check(self._claim.name, self._peer)
        final = scram.final(data)
        return await self._succeed(self._claim, final)

    async def _plain(self, data: bytes) -> SignedIn | None:
        given = parse_plain(data)
        claim = await self._claimed(given.username, given.authzid, ANY_HASH)
        is_right = await self._host.memory(PasswordChecks).fits(given.password, claim.credential)
        # As above: of many guesses made at once no more are answered than one by one.
        self._sign_in.check(claim.name, self._peer)
        if not is_right:
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        return await self._succeed(claim, b"")

    async def _token(self, data: bytes) -> SignedIn:
        request, tokens = self._request, self._sign_in.tokens
        element = None if request is None else request.inline.get((NS_FAST, "fast"))
        if request is None or element is None or not request.agent.id:
            # XEP-0484 §3.4, §4.1: the client MUST say both that it has a token and which installation it is.
            raise SASLError(SASLCondition.MALFORMED_REQUEST, "a token needs <fast/> and the id of a user agent")
        asked = fast.parse_fast(element)
        given = fast.parse_initiation(data)
        address = str(self._who(given.authcid, "", has_device=False))
        client = tokens.client_of(request.agent.id)
        self._name, self._address = tokens.name_of(address, client), address
        self._sign_in.check(self._name, self._peer)
        claim = await tokens.claim(address, client)
        account = await self._sign_in.account(address)
        binding = fast.binding_data(self._mechanism, self._stream.channel_bindings)
        token = tokens.fitting(claim, self._mechanism, given.proof, binding)
        if token is None or account is None:
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        if tokens.is_expired(token):
            raise SASLError(SASLCondition.CREDENTIALS_EXPIRED)
        if not await tokens.use(token, address, asked.count):
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        proof = fast.responder_proof(tokens.text_of(token), binding)
        return self._let_in(SignedIn(account, token.resource, proof, token))

    async def _claimed(self, username: str, authzid: str, hash_name: str) -> Claim:
        jid = self._who(username, authzid)
        claim = await self._sign_in.claim(str(jid.bare), jid.resource, hash_name, self._peer)
        self._claim, self._name, self._address = claim, claim.name, claim.address
        return claim

    def _who(self, username: str, authzid: str, *, has_device: bool = True) -> JID:
        """Whom a name and the address to act as mean."""
        local, _, resource = username.partition("/")
        try:
            # A token names no device: with one, its name is none.
            jid = JID.parse(f"{local if has_device else username}@{self._stream.domain}")
            if has_device and resource:
                jid = jid.with_resource(resource)
        except JIDError as error:
            # What names nobody is a failure as any other; all such names count as one.
            nobody = f"@{self._stream.domain}"
            self._sign_in.check(nobody, self._peer)
            self._sign_in.failed(nobody, self._peer)
            raise SASLError(SASLCondition.NOT_AUTHORIZED) from error
        if authzid and not _is_address(authzid, jid.bare):
            # RFC 6120 §6.5.6: it is no address, or another one's; nobody acts for another account here.
            raise SASLError(SASLCondition.INVALID_AUTHZID)
        named = self._stream.named
        if self._request is not None and named is not None and named.local and named.bare != jid.bare:
            # XEP-0388 §3.4: who signs in MUST be who the stream's header names.
            raise SASLError(SASLCondition.INVALID_AUTHZID)
        return jid

    async def _succeed(self, claim: Claim, data: bytes) -> SignedIn:
        account = await self._sign_in.confirmed(claim)
        if account is None:
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        return self._let_in(SignedIn(account, claim.resource, data or None))

    def _let_in(self, signed_in: SignedIn) -> SignedIn:
        self._sign_in.succeeded(self._name)
        if signed_in.account.is_suspended:
            raise SASLError(SASLCondition.ACCOUNT_DISABLED)
        self._host.metrics.login("accepted")
        log.info("signed in", mechanism=self._mechanism, pii={"address": self._address, "peer": self._peer})
        return signed_in


def _is_address(text: str, bare: JID) -> bool:
    try:
        return JID.parse(text).bare == bare
    except JIDError:
        return False
