"""The checks of the tree find what they are for."""

import check_tree
import pytest


@pytest.fixture
def problems(tmp_path):
    """Write the files given and return the problems found in them."""

    def find(**files: str) -> list[str]:
        names = []
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            names.append(name)
        return list(check_tree.problems_of(tmp_path, names))

    return find


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](there.md) and `src/there.py`", 0),
        ("[a](gone.md)", 1),
        ("[a](there.md#part) [b](#part) [c](https://example.org/x)", 0),
        ("`src/gone.py`", 1),
        ("`src/there.py::test_it` `src/there.py:12`", 0),
        ("`src/gone.py::test_it`", 1),
        ("`tests/*/test_x.py` `docs/<name>.md` `bench/results/NAME.json` `web/dist`", 0),
        ("plain gone.md and `gone.py`", 0),
    ],
)
def test_names_of_files_in_texts(problems, text, found):
    assert len(problems(**{"page.md": text, "there.md": "", "src/there.py": ""})) == found


def test_packages_say_what_lives_in_them(problems):
    assert problems(**{"src/parley/a/__init__.py": '"""What lives here."""', "src/parley/a/b.py": ""}) == []
    assert len(problems(**{"src/parley/a/__init__.py": "x = 1"})) == 1
    assert len(problems(**{"src/parley/c/d.py": ""})) == 1


def test_long_files(problems):
    code = "x = 1\n" * 601
    assert len(problems(**{"tools/long.py": code})) == 1
    assert problems(**{"web/src/table.ts": f"// Generated from a table.\n{code}"}) == []
    assert problems(**{"tools/fits.py": "x = 1\n" * 600}) == []


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("requirements/run.txt", "click==8.1.0 --hash=sha256:00", 0),
        ("requirements/run.txt", "--index-url somewhere", 1),
        ("requirements/run.txt", "click @ https://files.example.org/click.whl", 1),
        ("web/package-lock.json", '      "version": "1.0.0",', 0),
        ("web/package-lock.json", '      "resolved": "elsewhere",', 1),
        ("web/package-lock.json", '        "url": "https://example.org/donate"', 0),
    ],
)
def test_locks_name_no_index(problems, name, line, found):
    assert len(problems(**{name: line})) == found
