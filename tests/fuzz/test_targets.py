"""Every fuzz target over its seeds, over cut and mixed seeds, and over a few hundred inputs of hypothesis."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.py"))


def load(name: str) -> tuple[Callable[[bytes], None], list[bytes]]:
    module = importlib.import_module(f"fuzz.{name}")
    return module.target, module.SEEDS


def test_the_targets_are_found():
    assert {"fuzz_jid", "fuzz_scram", "fuzz_tus", "fuzz_xml_framer", "fuzz_c2s", "fuzz_payloads"} <= set(NAMES)
    assert {"fuzz_settings", "fuzz_administration", "fuzz_backup", "fuzz_archive_query", "fuzz_s2s"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name: str):
    target, seeds = load(name)
    for seed in seeds:
        target(seed)
        for place in range(0, len(seed), max(1, len(seed) // 40)):
            target(seed[:place])
            target(seed[place:])
            target(seed[:place] + b"\xff\x00" + seed[place:])


@pytest.mark.parametrize("name", NAMES)
def test_noise(name: str):
    target, seeds = load(name)

    @given(
        st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(seeds).flatmap(_part), max_size=5).map(b"".join))
    )
    @settings(max_examples=300, deadline=None, database=None)
    def run(data: bytes) -> None:
        target(data)

    run()


def _part(seed: bytes) -> st.SearchStrategy[bytes]:
    return st.slices(len(seed)).map(lambda cut: seed[cut])
