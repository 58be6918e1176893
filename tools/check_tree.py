"""Checks what no linter knows about the tree: names of files in texts, package docstrings, sizes, lock files.

Prints one line per problem; the exit status is 1 when there is one.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP_FOLDERS = ("src", "tests", "tools", "docs", "web", "bench", "requirements")
MOST_LINES = 600
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\s]+)`")
INDEX = re.compile(r"--(extra-)?index-url|--find-links|\"resolved\"|://")
HOME_PAGE = re.compile(r'"(url|opencollective|github)": "|^\s+"https://[^"]*",?$')
LOCKS = ("requirements/*.txt", "web/package-lock.json")
LONG_FILES = (".py", ".ts", ".tsx", ".css")


def main() -> int:
    """Check the tree around this file and return the exit status."""
    problems = sorted(problems_of(ROOT, tracked_files(ROOT)))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def tracked_files(root: Path) -> list[str]:
    """Return the paths, relative to `root`, of the files that exist and that git knows or would take in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    return [path for path in listed if path and (root / path).is_file()]


def problems_of(root: Path, files: Iterable[str]) -> Iterator[str]:
    """Yield every problem of the tree at `root` that consists of `files`."""
    known = sorted(files)
    for path in known:
        if path.endswith(".md"):
            yield from missing_names(root, path)
        if path.startswith("src/") and path.endswith("/__init__.py"):
            yield from missing_docstring(root, path)
        if path.endswith(LONG_FILES) and path.startswith(("src/", "web/src/", "tools/")):
            yield from too_long(root, path)
        if any(Path(path).match(pattern) for pattern in LOCKS):
            yield from named_index(root, path)
    yield from missing_packages(known)


def missing_names(root: Path, page: str) -> Iterator[str]:
    """Yield links and paths in a Markdown page that name no file; one with a wildcard or capitals is a pattern."""
    folder = (root / page).parent
    for number, line in enumerate((root / page).read_text().splitlines(), 1):
        for link in LINK.findall(line):
            target = link.partition("#")[0]
            if target and not re.match(r"[a-z]+:", target) and not (folder / target).exists():
                yield f"{page}:{number}: the link names no file: {target}"
        for name in CODE.findall(line):
            if not name.startswith(tuple(f"{top}/" for top in TOP_FOLDERS)) or re.search(r"[*{}<>…]|[A-Z]{3}", name):
                continue
            target = re.split(r"::|:\d", name)[0]
            if not (root / target).exists() and not _is_built(target):
                yield f"{page}:{number}: there is no {target}"


def _is_built(path: str) -> bool:
    return path.startswith(("web/dist", "web/node_modules"))


def missing_docstring(root: Path, path: str) -> Iterator[str]:
    """Yield a problem when a package does not say what lives in it."""
    if not ast.get_docstring(ast.parse((root / path).read_text())):
        yield f"{path}: the package has no docstring"


def missing_packages(files: list[str]) -> Iterator[str]:
    """Yield folders of Python modules under src/ that are no package."""
    folders = {str(Path(path).parent) for path in files if path.startswith("src/parley/") and path.endswith(".py")}
    for folder in sorted(folders):
        if f"{folder}/__init__.py" not in files:
            yield f"{folder}: has modules but no __init__.py"


def too_long(root: Path, path: str) -> Iterator[str]:
    """Yield a problem for a hand-written source of more than 600 lines. Generated files say so in their first lines."""
    lines = (root / path).read_text().splitlines()
    is_generated = any("generated" in line.lower() for line in lines[:3])
    if len(lines) > MOST_LINES and not is_generated:
        yield f"{path}: {len(lines)} lines; more than {MOST_LINES} is too long for one file"


def named_index(root: Path, path: str) -> Iterator[str]:
    """Yield places where a lock names where packages come from: that is the machine's business."""
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        if INDEX.search(line) and not HOME_PAGE.search(line):
            yield f"{path}:{number}: the lock names an index address"


if __name__ == "__main__":
    sys.exit(main())
