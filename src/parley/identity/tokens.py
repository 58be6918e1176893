"""Tokens in place of the password, for installations that come again (XEP-0484).

The mechanisms that take a token compute with the token itself, so a server that kept only a hash of it could check
nothing. Instead no token is kept at all: each is computed, when it is needed, from the server's secret and from what
the database holds of it, a random number above all. Who reads the database alone learns no token; who reads the
server's secret as well does, as they would learn all else. The account, the installation, the device and the mechanism
go into the computation, so that a token is good for nothing else.

A token ends with its time, with its device, with the password that it was given for, with the next one that is used in
its place, and when its installation signs out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.errors import StorageUnavailable
from parley.domain.tokens import Token
from parley.protocols.xmpp.fast import initiator_proof

if TYPE_CHECKING:
    from parley.base.config import LoginSettings
    from parley.domain.tokens import TokenStore

NONCE_BYTES: Final = 16
RESOURCE_BYTES: Final = 9

_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
_SLOTS: Final = 2


@dataclass(frozen=True, slots=True)
class TokenClaim:
    """Somebody says to be an installation with a token: those that it may have, for an unknown one those that fit
    nothing."""

    address: str
    client: bytes
    tokens: tuple[Token, ...]


class Tokens:
    """Gives tokens out and tells which of them fits.

    Args:
        store: what is kept of them.
        settings: how long they live.
        secret: of the server, kept over restarts.
        now_us: wall clock, in microseconds since the epoch.
        random: returns that many random bytes.
    """

    def __init__(
        self,
        store: TokenStore,
        settings: LoginSettings,
        secret: bytes,
        now_us: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._key = hmac.digest(secret, b"tokens of installations", "sha256")
        self._resource_key = hmac.digest(secret, b"resources of installations", "sha256")
        self._now_us = now_us
        self._random = random
        self.configure(settings)

    def configure(self, settings: LoginSettings) -> None:
        """Take over how long tokens live, for those to come."""
        self._lifetime = settings.token_lifetime_days * _DAY
        self._rotation = settings.token_rotation_hours * _HOUR

    def random_resource(self) -> str:
        """A resource for an installation that does not say which it is."""
        return base64.urlsafe_b64encode(self._random(RESOURCE_BYTES)).decode()

    @property
    def are_given(self) -> bool:
        """Whether there are tokens at all."""
        return self._lifetime > 0

    @staticmethod
    def name_of(address: str, client: bytes) -> str:
        """What is claimed, as the throttle counts it: guesses at tokens shut nobody out who has the password."""
        return f"{address} {client.hex()}"

    @staticmethod
    def client_of(agent_id: str) -> bytes:
        """The digest by which an installation is known; empty for one without an id."""
        return hashlib.sha256(agent_id.encode(errors="surrogatepass")).digest() if agent_id else b""

    def resource_of(self, account_id: int, client: bytes) -> str:
        """A resource that is the same each time this installation binds, and tells nothing of it (XEP-0386 §3.2.1)."""
        digest = hmac.digest(self._resource_key, b"%d " % account_id + client, "sha256")
        return base64.urlsafe_b64encode(digest[:RESOURCE_BYTES]).decode()

    async def claim(self, address: str, client: bytes) -> TokenClaim:
        """Look up what an installation may have; raises StorageUnavailable."""
        found = (await self._store.find(address, client))[:_SLOTS]
        nothing = (Token(0, client, b"", "", "", 0, 0),) * (_SLOTS - len(found))
        return TokenClaim(address, client, (*found, *nothing))

    def fitting(self, claim: TokenClaim, mechanism: str, proof: bytes, binding: bytes) -> Token | None:
        """The token that a proof was made with.

        It takes as long whether there is one or not, and whether the installation is known or not.
        """
        fitting: Token | None = None
        for token in claim.tokens:
            is_proved = hmac.compare_digest(initiator_proof(self.text_of(token), binding), proof)
            # XEP-0484 §3.4: a token MUST be refused with another mechanism than it was given for.
            is_right = is_proved & (token.mechanism == mechanism) & bool(token.nonce)
            fitting = token if is_right else fitting
        return fitting

    def is_expired(self, token: Token) -> bool:
        """Whether its time is over."""
        return token.expires_at <= self._now_us()

    def is_due(self, token: Token) -> bool:
        """Whether its installation should get another one in its place."""
        return self._now_us() - token.created_at >= self._rotation

    async def use(self, token: Token, address: str, count: int | None) -> bool:
        """Note that a token was used; False when it was revoked meanwhile, or its count came before.

        A full disk lets people in: what cannot be noted of a use without a count is noted with the next one.
        """
        try:
            return await self._store.use(token, count)
        except StorageUnavailable:
            if count is not None:
                raise
            return any(each.nonce == token.nonce for each in await self._store.find(address, token.client))

    async def has_any(self, address: str, client: bytes) -> bool:
        """Whether an installation has a token, whichever: revoked, it has none."""
        return bool(await self._store.find(address, client))

    async def issue(self, account_id: int, client: bytes, mechanism: str, resource: str) -> tuple[str, int] | None:
        """A new token and when it ends, in microseconds since the epoch; None when there is no device to give it to.

        Args:
            account_id: whose.
            client: the installation that gets it.
            mechanism: the one that takes it.
            resource: the one device that may sign in with it, "" for any.
        """
        now = self._now_us()
        token = Token(account_id, client, self._random(NONCE_BYTES), mechanism, resource, now, now + self._lifetime)
        return (self.text_of(token), token.expires_at) if await self._store.issue(token) else None

    async def forget(self, account_id: int, client: bytes) -> None:
        """The installation signs out."""
        await self._store.forget(account_id, client)

    def text_of(self, token: Token) -> str:
        """The token itself, 256 bits."""
        parts = (b"%d" % token.account_id, token.client, token.nonce, token.mechanism.encode(), token.resource.encode())
        said = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return base64.urlsafe_b64encode(hmac.digest(self._key, said, "sha256")).rstrip(b"=").decode()
