"""Lists of people to import: CSV with `address,password` on each line."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from parley.app.addresses import parse_new_address
from parley.app.errors import Unwilling
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.sasl import prepare_password

MALFORMED: Final = "import-malformed"
_MOST_COMPLAINTS: Final = 20
_HEAD: Final = ["address", "password"]


@dataclass(frozen=True, slots=True)
class NewPerson:
    """One line of the list, its address in normal form; `line` counts from 1."""

    address: str
    password: str
    line: int


def read_people(lines: Iterable[str], domains: Collection[str]) -> list[NewPerson]:
    """Read a list. Empty lines are skipped, and a first line that names the columns.

    Args:
        lines: the text.
        domains: where accounts may be.

    Raises:
        Unwilling: `import-malformed`, with every faulty line's number (the first twenty).
    """
    found: list[NewPerson] = []
    complaints: list[str] = []
    first_lines: dict[str, int] = {}
    try:
        for number, row in _rows(lines):
            try:
                person = _person(row, number, domains)
            except (Unwilling, PayloadError) as error:
                complaints.append(f"line {number}: {error}")
                continue
            if person.address in first_lines:
                complaints.append(f"line {number}: {person.address} is on line {first_lines[person.address]} already")
            first_lines.setdefault(person.address, number)
            found.append(person)
    except (csv.Error, UnicodeDecodeError) as error:
        complaints.append(f"cannot be read as CSV in UTF-8: {error}")
    if complaints:
        raise Unwilling(MALFORMED, complain(complaints))
    if not found:
        raise Unwilling(MALFORMED, "there is nobody in the list")
    return found


def complain(complaints: list[str]) -> str:
    """One text of many complaints: nothing was imported, and why."""
    shown = complaints[:_MOST_COMPLAINTS]
    rest = len(complaints) - len(shown)
    return "\n".join(["nothing was imported", *shown, *([f"and {rest} more"] if rest else [])])


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    for row in reader:
        is_head = reader.line_num == 1 and [cell.strip().lower() for cell in row] == _HEAD
        if any(cell.strip() for cell in row) and not is_head:
            yield reader.line_num, row


def _person(row: list[str], number: int, domains: Collection[str]) -> NewPerson:
    if len(row) != 2:
        raise Unwilling(MALFORMED, f"has {len(row)} fields, expected two: address,password")
    address = parse_new_address(row[0].removeprefix("\ufeff"), domains)
    if not row[1]:
        raise Unwilling(MALFORMED, "the password is empty")
    prepare_password(row[1])
    return NewPerson(address, row[1], number)
