from __future__ import annotations

from parley.domain.devices import Device

from ..people import ALICE, BOB, AnyStorage, credential, two_people


async def test_a_device_is_remembered(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.devices.seen(alice, "phone", "Phone", "192.0.2.1", 10)
    await storage.devices.seen(alice, "tablet", "Tablet", "192.0.2.2", 20)
    await storage.devices.seen(alice, "phone", "", "192.0.2.3", 30)
    assert await storage.devices.all(alice) == [
        Device(alice, "phone", "Phone", 10, 30, "192.0.2.3", has_credential=False),
        Device(alice, "tablet", "Tablet", 20, 20, "192.0.2.2", has_credential=False),
    ]
    assert await storage.devices.all(bob) == []


async def test_a_device_gets_a_credential_of_its_own(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.devices.set_credential(alice, "phone", credential(salt=b"1"), "Phone", 10)
    await storage.devices.set_credential(alice, "phone", credential(salt=b"2"), "", 20)
    assert await storage.devices.credential(ALICE, "phone") == credential(salt=b"2")
    assert await storage.devices.credential(ALICE, "tablet") is None
    assert await storage.devices.credential(BOB, "phone") is None
    (device,) = await storage.devices.all(alice)
    assert (device.name, device.first_seen, device.has_credential) == ("Phone", 10, True)
    await storage.devices.seen(alice, "phone", "", "192.0.2.9", 40)
    (device,) = await storage.devices.all(alice)
    assert (device.name, device.last_seen, device.has_credential) == ("Phone", 40, True)


async def test_revoking_makes_the_credential_useless(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    for resource in ("tablet", "phone", "desk"):
        await storage.devices.set_credential(alice, resource, credential(), "", 1)
    await storage.devices.seen(bob, "phone", "", "", 1)
    assert await storage.devices.revoke(alice, "phone") is True
    assert await storage.devices.revoke(alice, "phone") is False
    assert await storage.devices.credential(ALICE, "phone") is None
    assert await storage.devices.credential(ALICE, "desk") == credential()
    assert await storage.devices.revoke_all(alice) == ["desk", "tablet"]
    assert await storage.devices.revoke_all(alice) == []
    assert await storage.devices.credential(ALICE, "desk") is None
    assert len(await storage.devices.all(bob)) == 1


async def test_the_devices_seen_longest_ago_are_forgotten_with_their_credentials(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.devices.seen(bob, "phone", "", "", 1)
    for number in range(4):
        await storage.devices.seen(alice, f"d{number}", "", "", 10 + number, keep=3)
        await storage.devices.set_credential(alice, f"d{number}", credential(), "", 10 + number)
    assert [device.resource for device in await storage.devices.all(alice)] == ["d3", "d2", "d1"]
    assert await storage.devices.credential(ALICE, "d0") is None
    assert await storage.devices.credential(ALICE, "d1") is not None
    assert [device.resource for device in await storage.devices.all(bob)] == ["phone"]
