"""Claims: an account that does not exist cannot be told from one that does."""

from __future__ import annotations

import itertools

import pytest

from parley.base.clock import VirtualClock
from parley.base.config import LoginSettings
from parley.domain.accounts import Account, Credential
from parley.identity.sign_in import HASHES, SignIn, Throttled, credentials_for, fits
from parley.identity.tokens import Tokens
from parley.storage.memory import MemoryStorage

ADDRESS = "alice@example.org"


def _salts(size: int) -> bytes:
    return bytes(range(size))


class Accounts:
    def __init__(self) -> None:
        self.account = Account(1, ADDRESS, 0)
        self.kept = list(credentials_for("secret", 4096, _salts))
        self.in_use = {4096: 3}

    async def find(self, address: str) -> Account | None:
        return self.account if address == ADDRESS else None

    async def credentials(self, address: str) -> list[Credential]:
        return self.kept if address == ADDRESS else []

    async def iterations(self) -> dict[int, int]:
        return self.in_use


class Devices:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Credential] = {}

    async def credential(self, address: str, resource: str) -> Credential | None:
        return self.kept.get((address, resource))


def sign_in(
    clock: VirtualClock, devices: Devices | None = None, accounts: Accounts | None = None, rounds: int = 4096
) -> SignIn:
    settings = LoginSettings(
        scram_iterations=rounds, failures_per_account=3, failures_per_address=5, failure_window_s=60
    )
    tokens = Tokens(MemoryStorage().tokens, settings, b"k" * 32, clock.now_us, bytes)
    return SignIn(
        accounts or Accounts(),  # type: ignore[arg-type]
        devices or Devices(),  # type: ignore[arg-type]
        tokens,
        settings,
        secret=b"k" * 32,
        monotonic=clock.monotonic,
    )


@pytest.mark.parametrize("mechanism", sorted(HASHES))
async def test_a_claim_brings_the_account_and_its_credential(mechanism: str) -> None:
    claim = await sign_in(VirtualClock()).claim(ADDRESS, "", mechanism, "192.0.2.1")
    assert claim.account is not None
    assert fits("secret", claim.credential)
    assert not fits("Secret", claim.credential)


@pytest.mark.parametrize("mechanism", sorted(HASHES))
async def test_an_unknown_name_gets_a_credential_of_the_same_shape_that_never_changes(mechanism: str) -> None:
    known = await sign_in(VirtualClock()).claim(ADDRESS, "", mechanism, "192.0.2.1")
    first = await sign_in(VirtualClock()).claim("nobody@example.org", "", mechanism, "192.0.2.1")
    again = await sign_in(VirtualClock()).claim("nobody@example.org", "", mechanism, "192.0.2.2")
    other = await sign_in(VirtualClock()).claim("noone@example.org", "", mechanism, "192.0.2.1")
    assert first.account is None
    assert first.credential == again.credential
    assert first.credential.salt != other.credential.salt
    assert first.credential.iterations == known.credential.iterations
    for name in ("salt", "stored_key", "server_key"):
        assert len(getattr(first.credential, name)) == len(getattr(known.credential, name))


async def rounds_of(service: SignIn, mechanism: str = "SHA-256") -> list[int]:
    claims = [await service.claim(f"nobody{n}@example.org", "", mechanism, "192.0.2.1") for n in range(400)]
    return [claim.credential.iterations for claim in claims]


async def test_unknown_names_have_rounds_as_accounts_have_them_whatever_the_setting_says() -> None:
    accounts = Accounts()
    service = sign_in(VirtualClock(), accounts=accounts, rounds=65536)
    assert set(await rounds_of(service)) == {4096}
    accounts.in_use = {4096: 30, 32768: 10}
    first = await rounds_of(sign_in(VirtualClock(), accounts=accounts, rounds=65536))
    # 300 of 400 are due, give or take five standard deviations; the key is fixed.
    assert 255 < first.count(4096) < 345
    assert set(first) == {4096, 32768}
    assert await rounds_of(sign_in(VirtualClock(), accounts=accounts, rounds=4096), "SHA-1") == first


async def test_the_rounds_of_unknown_names_follow_those_of_accounts_and_never_turn_back() -> None:
    accounts, clock = Accounts(), VirtualClock()
    service = sign_in(clock, accounts=accounts)
    before = await rounds_of(service)
    for newer in (1, 3, 9):
        accounts.in_use = {4096: 3, 32768: newer}
        assert await rounds_of(service) == before
        clock.advance(600)
        after = await rounds_of(service)
        assert all(new >= old for old, new in zip(before, after, strict=True))
        assert after.count(32768) > before.count(32768)
        before = after


async def test_where_nobody_has_a_password_the_setting_counts() -> None:
    accounts = Accounts()
    accounts.in_use = {}
    assert set(await rounds_of(sign_in(VirtualClock(), accounts=accounts, rounds=8192))) == {8192}


async def test_a_device_signs_in_with_its_own_credential_only() -> None:
    devices = Devices()
    (own,) = credentials_for("device secret", 4096, _salts, ("SHA-256",))
    devices.kept[ADDRESS, "web"] = own
    service = sign_in(VirtualClock(), devices)
    claim = await service.claim(ADDRESS, "web", "SHA-256", "192.0.2.1")
    assert claim.account is not None
    assert fits("device secret", claim.credential)
    assert (await service.claim(ADDRESS, "web", "SHA-1", "192.0.2.1")).account is None
    assert (await service.claim(ADDRESS, "other", "SHA-256", "192.0.2.1")).account is None


@pytest.mark.parametrize("address", [ADDRESS, "nobody@example.org"])
async def test_an_account_is_throttled_whether_it_exists_or_not(address: str) -> None:
    clock = VirtualClock()
    service = sign_in(clock)
    for number in range(3):
        service.failed(address, f"192.0.2.{number}")
    with pytest.raises(Throttled) as refused:
        await service.claim(address, "", "SHA-256", "192.0.2.9")
    assert refused.value.retry_after_s == 60
    clock.advance(60)
    await service.claim(address, "", "SHA-256", "192.0.2.9")


async def test_guesses_at_a_password_do_not_shut_devices_out_and_devices_do_not_help_them() -> None:
    devices = Devices()
    (devices.kept[ADDRESS, "web"],) = credentials_for("device secret", 4096, _salts, ("SHA-256",))
    service = sign_in(VirtualClock(), devices)
    for number in range(3):
        service.failed(ADDRESS, f"192.0.2.{number}")
    device = await service.claim(ADDRESS, "web", "SHA-256", "192.0.2.9")
    service.succeeded(device.name)
    with pytest.raises(Throttled):
        await service.claim(ADDRESS, "", "SHA-256", "192.0.2.9")
    for number in range(3):
        service.failed(device.name, f"192.0.2.{number}")
    with pytest.raises(Throttled):
        await service.claim(ADDRESS, "web", "SHA-256", "192.0.2.9")


async def test_a_peer_that_tries_many_accounts_is_throttled_and_success_does_not_clear_it() -> None:
    service = sign_in(VirtualClock())
    for number in range(5):
        service.failed(f"user{number}@example.org", "192.0.2.1")
    service.succeeded(ADDRESS)
    with pytest.raises(Throttled):
        await service.claim(ADDRESS, "", "SHA-256", "192.0.2.1")
    await service.claim(ADDRESS, "", "SHA-256", "192.0.2.2")


def test_each_mechanism_has_a_salt_of_its_own() -> None:
    numbers = itertools.count()
    made = credentials_for("secret", 4096, lambda size: next(numbers).to_bytes(size, "big"))
    assert len({credential.salt for credential in made}) == len(HASHES)
