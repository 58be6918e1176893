"""Prosody (Debian) as a partner, in a network of its own with real DNS and a private authority."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from tests.peers.federation_scenes import SCENES
from tests.peers.federation_theatre import may_unshare, theatre
from tests.support.prosody import CLOUD_NOTIFY

HAS_PROSODY = shutil.which("prosody") is not None

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not HAS_PROSODY, reason="not installed: prosody"),
    pytest.mark.skipif(HAS_PROSODY and not may_unshare(), reason="not allowed: network namespaces"),
    pytest.mark.xdist_group("prosody"),
]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], None]]:
    with theatre("prosody", tmp_path_factory.mktemp("prosody")) as play:
        yield play


@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str, play: Callable[[str], None]) -> None:
    if name == "push" and not CLOUD_NOTIFY.exists():
        pytest.skip("not installed: prosody-modules")
    play(name)
