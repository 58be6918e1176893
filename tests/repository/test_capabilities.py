"""The register of capabilities: complete, and no state without its evidence."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTER = ROOT / "docs" / "capabilities.md"
HEADER = "| id | capability | state | module | test | user page |"
IDS = [f"{part}{area}.{row}" for part in "VMA" for area in range(1, 9) for row in range(1, 7)]


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    capability: str
    state: str
    module: str
    test: str
    page: str


def rows() -> list[Row]:
    found = []
    for line in REGISTER.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and line != HEADER and not set(line) <= set("|-"):
            found.append(Row(*cells))
    return found


def paths(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_row_is_there_once_and_in_order():
    assert [row.id for row in rows()] == IDS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_a_state_has_its_evidence(row):
    assert row.capability
    assert row.state in ("works", "partial", "no")
    if row.state == "no":
        assert not paths(row.test)
    else:
        assert paths(row.module)
        assert paths(row.test)
    if row.state == "works":
        assert paths(row.page) or "](" in row.page


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_what_a_row_names_exists(row):
    for path in [*paths(row.module), *paths(row.page)]:
        assert (ROOT / path).exists(), path
    for target in re.findall(r"\]\(([^)#]+)", row.page):
        assert (REGISTER.parent / target).exists(), target
    for name in paths(row.test):
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), path
        assert is_there(test, (ROOT / path).read_text(), path), name


def is_there(test: str, text: str, path: str) -> bool:
    """Whether a file holds a test of exactly that name; any test will do for an empty one."""
    if path.endswith(".py"):
        found = re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)
    elif path.endswith((".ts", ".tsx")):
        found = [name for _, name in re.findall(r"""\b(?:it|test)(?:\.\w+)*\(\s*(["'`])(.+?)\1,""", text)]
    else:
        found = [text]
    return test in found if test else bool(found)


@pytest.mark.parametrize(
    ("test", "text", "path", "found"),
    [
        ("test_a", "def test_a():", "a.py", True),
        ("test_a", "async def test_a(x):", "a.py", True),
        ("test_a", "def test_a_longer_name():", "a.py", False),
        ("test_a", "# def test_a():\nuse(test_a)", "a.py", False),
        ("", "def helper():", "a.py", False),
        ("does it", 'it("does it", () => {', "a.test.ts", True),
        ("does it", '// does it\nit("does it not", () => {', "a.test.ts", False),
    ],
)
def test_a_test_is_found_by_its_whole_name(test, text, path, found):
    assert is_there(test, text, path) == found
