"""Every scene of every play over sockets: to Parley, and to Prosody when the play says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.limits import within
from tests.transcripts.on_sockets import SocketHouse
from tests.transcripts.play import Scene, Stage, read
from tests.transcripts.servers import PlayedParley, PlayedProsody

FOLDER = Path(__file__).parent
_LIMIT_S = 60.0
_ALL = [
    (f"{path.stem}: {scene.title}", scene)
    for path in sorted(FOLDER.glob("*.play"))
    for scene in read(path)
    if scene.is_timeless
]
_NUMBERS = range(len(_ALL))


def _scenes(server: str) -> list[object]:
    return [
        pytest.param(number, scene, id=name)
        for number, (name, scene) in enumerate(_ALL)
        if scene.lines_for(server)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def parley() -> Iterator[PlayedParley]:
    with PlayedParley(_NUMBERS) as server:
        yield server


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedProsody]:
    with PlayedProsody(tmp_path_factory.mktemp("prosody"), _NUMBERS) as server:
        yield server


@pytest.mark.xdist_group("transcripts-parley")
@pytest.mark.parametrize(("number", "scene"), _scenes("parley"))
@within(_LIMIT_S)
async def test_parley(number: int, scene: Scene, parley: PlayedParley) -> None:
    async with SocketHouse("parley", ("127.0.0.1", parley.c2s_port), number) as house:
        await Stage(house).play(scene)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("prosody") is None, reason="not installed: prosody")
@pytest.mark.xdist_group("transcripts-prosody")
@pytest.mark.parametrize(("number", "scene"), _scenes("prosody"))
@within(_LIMIT_S)
async def test_prosody(number: int, scene: Scene, prosody: PlayedProsody) -> None:
    async with SocketHouse("prosody", ("127.0.0.1", prosody.c2s_port), number) as house:
        await Stage(house).play(scene)


async def test_a_play_that_is_not_so_fails(parley: PlayedParley) -> None:
    scenes = read(FOLDER / "wrong" / "wrong.play")
    assert scenes
    for scene in scenes:
        async with SocketHouse("parley", ("127.0.0.1", parley.c2s_port), 0, patience_s=1.0) as house:
            with pytest.raises(AssertionError, match=scene.title):
                await Stage(house).play(scene)
