"""The generated pages say what the code says now."""

import click
import generate_docs
import pytest


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_generated_page_is_fresh(name):
    assert not generate_docs.is_stale(name), f"docs/reference/{name}: run make docs"


def test_every_reference_page_is_generated():
    pages = {path.name for path in (generate_docs.ROOT / "docs" / "reference").iterdir()}
    # What is written by hand there has a test of its own.
    assert pages - {"compliance.md"} == set(generate_docs.PAGES)


def test_commands_are_described_with_all_below_them():
    @click.group(help="Serves people.")
    def main() -> None:
        pass

    @main.group(help="Accounts.")
    def user() -> None:
        pass

    @user.command(help="Create an account.\n\nFails if it exists.\fnot shown")
    @click.argument("address")
    @click.option("--password-stdin", is_flag=True, help="Read a | b.")
    def add(address: str, password_stdin: bool) -> None:
        pass

    page = generate_docs.page_of(main)
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## parley",
        "## parley user",
        "## parley user add",
    ]
    assert "parley user add [OPTIONS] ADDRESS" in page
    assert "Create an account.\n\nFails if it exists.\n" in page
    assert "| `--password-stdin` | Read a \\| b. |" in page
    assert "not shown" not in page
