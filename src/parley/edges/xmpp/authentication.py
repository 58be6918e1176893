"""One SASL exchange of one stream (RFC 6120 §6): syntax by `protocols/xmpp/scram.py`, claims by `identity`."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.identity.sign_in import Claim, SignIn, Throttled, fits
from parley.protocols.xmpp.errors import JIDError, SASLCondition, SASLError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.sasl import parse_plain
from parley.protocols.xmpp.scram import ScramKeys, ScramServer

if TYPE_CHECKING:
    from parley.domain.accounts import Account, Credential
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.c2s import ClientStream

log = logs.get(__name__)

_SCRAM: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")
_NONCE_BYTES: Final = 24
_CHECKS_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)


def mechanisms(channel_bindings: Mapping[str, bytes], is_secure: bool) -> tuple[str, ...]:
    """What to offer, strongest first. PLAIN only where TLS hides it (RFC 6120 §13.8.3)."""
    plus = tuple(f"{name}-PLUS" for name in _SCRAM) if channel_bindings else ()
    return (*plus, *_SCRAM, *(("PLAIN",) if is_secure else ()))


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
    """The outcome: the account, and the device whose own credential was used ("" for the password)."""

    account: Account
    resource: str


class Authentication:
    """The exchange in progress. Each step answers through the stream and returns who signed in, if it was the last."""

    def __init__(self, host: Host, sign_in: SignIn, stream: ClientStream, peer: str) -> None:
        self._host = host
        self._sign_in = sign_in
        self._stream = stream
        self._peer = peer
        self._mechanism = ""
        self._scram: ScramServer | None = None
        self._claim: Claim | None = None
        self.failures = 0

    async def begin(self, mechanism: str, initial: bytes | None) -> SignedIn | None:
        """The client chose a mechanism."""
        self._mechanism = mechanism
        self._claim = None
        self._scram = None
        if mechanism != "PLAIN":
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
            self._refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, "too many failures, try again later", error.code)
        except StorageUnavailable as error:
            log.error("sign-in failed", mechanism=self._mechanism, code=error.code)
            self._refuse(SASLCondition.TEMPORARY_AUTH_FAILURE, "try again later", error.code)
        except SASLError as error:
            if self._claim is not None and error.condition is SASLCondition.NOT_AUTHORIZED:
                self._sign_in.failed(self._claim.name, self._peer)
            self._refuse(error.condition, error.text, error.code)
        return None

    def _refuse(self, condition: SASLCondition, text: str, code: str) -> None:
        self.failures += 1
        self._host.metrics.login("throttled" if code == "throttled" else "rejected")
        pii = {"address": self._claim.address if self._claim else "", "peer": self._peer}
        log.info("sign-in refused", mechanism=self._mechanism, reason=code, pii=pii)
        self._stream.auth_failed(condition, text)

    async def _step(self, data: bytes) -> SignedIn | None:
        scram = self._scram
        if scram is None:
            return await self._plain(data)
        if self._claim is None:
            first = scram.first(data)
            hash_name = self._mechanism.removeprefix("SCRAM-").removesuffix("-PLUS")
            claim = self._claim = await self._claimed(first.username, first.authzid, hash_name)
            kept = claim.credential
            keys = ScramKeys(kept.salt, kept.iterations, kept.stored_key, kept.server_key)
            self._stream.challenge(scram.challenge(keys, secrets.token_urlsafe(_NONCE_BYTES)))
            return None
        # The throttle may have closed since the challenge: many exchanges can be open at once.
        self._sign_in.check(self._claim.name, self._peer)
        final = scram.final(data)
        return await self._succeed(self._claim, final)

    async def _plain(self, data: bytes) -> SignedIn | None:
        given = parse_plain(data)
        claim = self._claim = await self._claimed(given.username, given.authzid, "SHA-256")
        is_right = await self._host.memory(PasswordChecks).fits(given.password, claim.credential)
        # As above: of many guesses made at once no more are answered than one by one.
        self._sign_in.check(claim.name, self._peer)
        if not is_right:
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        return await self._succeed(claim, b"")

    async def _claimed(self, username: str, authzid: str, hash_name: str) -> Claim:
        local, _, resource = username.partition("/")
        try:
            jid = JID.parse(f"{local}@{self._stream.domain}")
            if resource:
                jid = jid.with_resource(resource)
            wanted = JID.parse(authzid) if authzid else jid
        except JIDError as error:
            # What names nobody is a failure as any other; all such names count as one.
            nobody = f"@{self._stream.domain}"
            self._sign_in.check(nobody, self._peer)
            self._sign_in.failed(nobody, self._peer)
            raise SASLError(SASLCondition.NOT_AUTHORIZED) from error
        if wanted.bare != jid.bare:
            # RFC 6120 §6.3.8: nobody acts for another account here.
            raise SASLError(SASLCondition.INVALID_AUTHZID)
        return await self._sign_in.claim(str(jid.bare), jid.resource, hash_name, self._peer)

    async def _succeed(self, claim: Claim, data: bytes) -> SignedIn:
        account = await self._sign_in.confirmed(claim)
        if account is None:
            raise SASLError(SASLCondition.NOT_AUTHORIZED)
        self._sign_in.succeeded(claim.name)
        if account.is_suspended:
            raise SASLError(SASLCondition.ACCOUNT_DISABLED)
        self._host.metrics.login("accepted")
        log.info("signed in", mechanism=self._mechanism, pii={"address": claim.address, "peer": self._peer})
        self._stream.auth_succeeded(data)
        return SignedIn(account, claim.resource)
