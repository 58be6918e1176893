"""ejabberd (Debian) as a partner, in a network of its own with real DNS and a private authority."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.peers.federation_scenes import SCENES
from tests.peers.federation_theatre import may_unshare, theatre
from tests.support.ejabberd import is_installed

HAS_EJABBERD = is_installed()

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not HAS_EJABBERD, reason="not installed: ejabberd"),
    pytest.mark.skipif(HAS_EJABBERD and not may_unshare(), reason="not allowed: network namespaces"),
    pytest.mark.xdist_group("ejabberd"),
]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], None]]:
    with theatre("ejabberd", tmp_path_factory.mktemp("ejabberd")) as play:
        yield play


@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str, play: Callable[[str], None]) -> None:
    play(name)
