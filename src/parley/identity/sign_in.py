"""Signing in: whose credential a name asks for, and whether it may be tried now.

A name is `name` or, for an installation that signs in with a secret of its own, `name/resource`. Somebody who guesses
learns nothing from the answers: a name that does not exist gets a salt too, always the same one, and a proof that
never fits; it is throttled as an existing one is.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.accounts import Account, Credential
from parley.domain.errors import DomainError
from parley.identity.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from parley.base.config import LoginSettings
    from parley.domain.ports import AccountStore, DeviceStore

HASHES: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
"""Names of hashes as SCRAM writes them, with those of hashlib."""

_SALT_BYTES: Final = 16


class Throttled(DomainError):  # noqa: N818 - the domain's errors are named by what happened
    """Too many failures; try again in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("throttled", f"too many failures, again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody says to be `account`; `credential` decides.

    `account` is None when there is no such account: then no proof fits. `resource` names the device when the
    credential is a device's own.
    """

    address: str
    resource: str
    account: Account | None
    credential: Credential


class SignIn:
    """Claims and their outcomes.

    Args:
        accounts: where passwords' credentials are.
        devices: where devices' own credentials are.
        settings: limits of the throttle, rounds of new credentials.
        secret: key of the salts of names that do not exist; kept over restarts, so that they never change.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        accounts: AccountStore,
        devices: DeviceStore,
        settings: LoginSettings,
        secret: bytes,
        monotonic: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._devices = devices
        self._secret = secret
        self._iterations = settings.scram_iterations
        window_s = settings.failure_window_s
        self._by_account = Throttle(settings.failures_per_account, window_s, monotonic)
        self._by_peer = Throttle(settings.failures_per_address, window_s, monotonic)

    async def claim(self, address: str, resource: str, mechanism: str, peer: str) -> Claim:
        """Look up the credential of `address` (and its device) for a hash such as `SHA-256`.

        Args:
            address: `name@domain`, normalised.
            resource: the device whose own credential is meant, or "".
            mechanism: one of `HASHES`.
            peer: network address of who asks.

        Raises:
            Throttled: the account or the peer has failed too often of late.
        """
        self.check(address, peer)
        credential: Credential | None
        if resource:
            credential = await self._devices.credential(address, resource)
            if credential is not None and credential.mechanism != mechanism:
                credential = None
        else:
            kept = await self._accounts.credentials(address)
            credential = next((each for each in kept if each.mechanism == mechanism), None)
        account = await self._accounts.find(address)
        if account is None or credential is None:
            return Claim(address, resource, None, self._invented(address, resource, mechanism))
        return Claim(address, resource, account, credential)

    def check(self, address: str, peer: str) -> None:
        """Raises `Throttled` when the account or the peer must wait."""
        wait_s = max(self._by_account.retry_after_s(address), self._by_peer.retry_after_s(peer))
        if wait_s > 0:
            raise Throttled(wait_s)

    def failed(self, address: str, peer: str) -> None:
        """The proof was wrong."""
        self._by_account.failed(address)
        self._by_peer.failed(peer)

    def succeeded(self, address: str) -> None:
        """The proof was right. The peer's failures with other accounts still count."""
        self._by_account.succeeded(address)

    def _invented(self, address: str, resource: str, mechanism: str) -> Credential:
        size = hashlib.new(HASHES[mechanism]).digest_size
        # A device's own credential has few rounds; an account's has those of a new password.
        iterations = 4096 if resource else self._iterations

        def derived(use: str) -> bytes:
            text = f"{use}\0{mechanism}\0{address}\0{resource}"
            return hmac.new(self._secret, text.encode(), "sha512").digest()

        return Credential(mechanism, derived("salt")[:_SALT_BYTES], iterations, derived("stored")[:size], b"\0" * size)


def credentials_for(
    password: str, iterations: int, salts: Callable[[int], bytes], mechanisms: tuple[str, ...] = tuple(HASHES)
) -> tuple[Credential, ...]:
    """Credentials of a prepared password for each mechanism (RFC 5802 §3). Slow on purpose: run it off the loop.

    Args:
        password: after PRECIS OpaqueString.
        iterations: rounds of PBKDF2.
        salts: returns that many random bytes.
        mechanisms: some of `HASHES`.
    """
    made = []
    for mechanism in mechanisms:
        name = HASHES[mechanism]
        salt = salts(_SALT_BYTES)
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)
        client_key = hmac.new(salted, b"Client Key", name).digest()
        server_key = hmac.new(salted, b"Server Key", name).digest()
        made.append(Credential(mechanism, salt, iterations, hashlib.new(name, client_key).digest(), server_key))
    return tuple(made)


def verify_password(password: str, credential: Credential) -> bool:
    """Whether a prepared password fits. Slow on purpose: run it off the loop."""
    name = HASHES[credential.mechanism]
    salted = hashlib.pbkdf2_hmac(name, password.encode(), credential.salt, credential.iterations)
    client_key = hmac.new(salted, b"Client Key", name).digest()
    return hmac.compare_digest(hashlib.new(name, client_key).digest(), credential.stored_key)
