"""Signing in: whose credential a name asks for, and whether it may be tried now.

A name is `name` or, for an installation that signs in with a secret of its own, `name/resource`. Somebody who guesses
learns nothing from the answers: a name that does not exist gets a salt too, always the same one, rounds as existing
ones have them, and a proof that never fits; it is throttled as they are. Each name has a throttle of its own: whoever
guesses at a password shuts the devices out that have a secret of their own no more than their sign-ins make the
guessing easier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.base.net.peers import network_of
from parley.domain.accounts import Account, Credential
from parley.domain.errors import DomainError
from parley.identity.rounds import Rounds
from parley.identity.throttle import Throttle
from parley.protocols.xmpp.scram import ScramKeys, decoy_keys, derive_keys, verify_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from parley.base.config import LoginSettings
    from parley.domain.ports import AccountStore, DeviceStore
    from parley.identity.tokens import Tokens

HASHES: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
"""Names of hashes as SCRAM writes them, with those of hashlib."""

ANY_HASH: Final = ""
"""In `SignIn.claim`: for a password in clear, which any credential of the account can check."""

DEVICE_ITERATIONS: Final = 4096
"""Rounds for a device's own credential: 32 random bytes need no stretching."""

_PREFERENCE: Final = ("SHA-256", "SHA-512", "SHA-1")
_SALT_BYTES: Final = 16


class Throttled(DomainError):
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

    @property
    def name(self) -> str:
        """What was claimed, as the throttle counts it: the address, with the device if that is what signs in."""
        return _name(self.address, self.resource)


class SignIn:
    """Claims and their outcomes.

    Args:
        accounts: where passwords' credentials are.
        devices: where devices' own credentials are.
        settings: limits of the throttle, rounds of new credentials.
        tokens: what installations may have in place of a password.
        secret: key of the salts and rounds of names that do not exist; kept over restarts, so that they never change.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        accounts: AccountStore,
        devices: DeviceStore,
        tokens: Tokens,
        settings: LoginSettings,
        *,
        secret: bytes,
        monotonic: Callable[[], float],
    ) -> None:
        self.tokens = tokens
        self._accounts = accounts
        self._devices = devices
        self._secret = secret
        self._rounds = Rounds(accounts, settings.scram_iterations, secret, monotonic)
        window_s = settings.failure_window_s
        self._by_account = Throttle(settings.failures_per_account, window_s, monotonic)
        self._by_peer = Throttle(settings.failures_per_address, window_s, monotonic)

    def configure(self, settings: LoginSettings) -> None:
        """Take over changed limits of the throttle and of tokens."""
        self.tokens.configure(settings)
        self._by_account.configure(settings.failures_per_account, settings.failure_window_s)
        self._by_peer.configure(settings.failures_per_address, settings.failure_window_s)

    async def claim(self, address: str, resource: str, mechanism: str, peer: str) -> Claim:
        """Look up the credential of `address` (and its device) for a hash such as `SHA-256`.

        Args:
            address: `name@domain`, normalised.
            resource: the device whose own credential is meant, or "".
            mechanism: one of `HASHES`, or `ANY_HASH`.
            peer: network address of who asks.

        Raises:
            Throttled: the account or the peer has failed too often of late.
        """
        self.check(_name(address, resource), peer)
        await self._rounds.count()
        credential = await self._credential(address, resource, mechanism)
        account = await self._accounts.find(address)
        if account is None or credential is None:
            return Claim(address, resource, None, self._invented(address, resource, mechanism))
        return Claim(address, resource, account, credential)

    async def confirmed(self, claim: Claim) -> Account | None:
        """The account of a claim whose proof was right, as it is now.

        None when there is none, or when the credential was changed or revoked while the client made its proof.
        """
        if claim.account is None:
            return None
        credential = await self._credential(claim.address, claim.resource, claim.credential.mechanism)
        account = await self._accounts.find(claim.address)
        return account if credential == claim.credential else None

    async def account(self, address: str) -> Account | None:
        """The account of an address, whatever anybody claims."""
        return await self._accounts.find(address)

    async def mechanisms(self, address: str) -> list[str]:
        """The hashes that there are credentials of the password for."""
        return [each.mechanism for each in await self._accounts.credentials(address)]

    async def add_credential(self, account: Account, credential: Credential) -> None:
        """Keep the password's credential for a hash that there was none for; one that is there stays."""
        await self._accounts.add_credential(account.id, credential)

    async def is_revoked(self, address: str, resource: str) -> bool:
        """Whether a device has no credential of its own any more."""
        return await self._devices.credential(address, resource) is None

    async def _credential(self, address: str, resource: str, mechanism: str) -> Credential | None:
        if resource:
            credential = await self._devices.credential(address, resource)
            fits_hash = credential is not None and mechanism in (ANY_HASH, credential.mechanism)
            return credential if fits_hash else None
        kept = await self._accounts.credentials(address)
        if mechanism == ANY_HASH:
            # Accounts that moved here from another server may have one only.
            return min(kept, key=lambda each: _PREFERENCE.index(each.mechanism), default=None)
        return next((each for each in kept if each.mechanism == mechanism), None)

    def check(self, name: str, peer: str) -> None:
        """Raises `Throttled` when the name (see `Claim.name`) or the peer must wait."""
        wait_s = max(self._by_account.retry_after_s(name), self._by_peer.retry_after_s(network_of(peer)))
        if wait_s > 0:
            raise Throttled(wait_s)

    def failed(self, name: str, peer: str) -> None:
        """The proof was wrong."""
        self._by_account.failed(name)
        self._by_peer.failed(network_of(peer))

    def succeeded(self, name: str) -> None:
        """The proof was right. The peer's failures with other names still count."""
        self._by_account.succeeded(name)

    def _invented(self, address: str, resource: str, mechanism: str) -> Credential:
        # A device's own credential has few rounds; passwords' differ.
        mechanism = mechanism or _PREFERENCE[0]
        iterations = DEVICE_ITERATIONS if resource else self._rounds.of(address)
        keys = decoy_keys(HASHES[mechanism], f"{address}/{resource}", self._secret, iterations)
        return Credential(mechanism, keys.salt, keys.iterations, keys.stored_key, keys.server_key)


def _name(address: str, resource: str) -> str:
    return f"{address}/{resource}" if resource else address


def credentials_for(
    password: str, iterations: int, salts: Callable[[int], bytes], mechanisms: tuple[str, ...] = tuple(HASHES)
) -> tuple[Credential, ...]:
    """Credentials of a password for each mechanism. Slow on purpose: run it off the loop.

    Args:
        password: in clear.
        iterations: rounds of PBKDF2.
        salts: returns that many random bytes.
        mechanisms: some of `HASHES`.

    Raises:
        PayloadError: the password is empty or holds characters that passwords may not have.
    """
    made = []
    for mechanism in mechanisms:
        keys = derive_keys(HASHES[mechanism], password, salts(_SALT_BYTES), iterations)
        made.append(Credential(mechanism, keys.salt, keys.iterations, keys.stored_key, keys.server_key))
    return tuple(made)


def fits(password: str, credential: Credential) -> bool:
    """Whether a password is the one. Slow on purpose: run it off the loop."""
    keys = ScramKeys(credential.salt, credential.iterations, credential.stored_key, credential.server_key)
    return verify_password(HASHES[credential.mechanism], password, keys)
