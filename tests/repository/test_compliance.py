"""The page of compliance names files and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "compliance.md"
LINES = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and "`" in line]


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line.split("|")[1:4]))
def test_a_line_names_a_file_and_tests_that_are_there(line: str) -> None:
    file, *tests = re.findall(r"`([^`]+)`", line)
    assert (ROOT / file).is_file(), file
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_no_suite_is_left_out() -> None:
    suites = {line.split("|")[1].strip() for line in LINES}
    assert {"Core", "Web", "IM", "Mobile", "A/V calling"} <= suites
