"""The generated pages say what the code says now."""

import generate_docs
import pytest


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_generated_page_is_fresh(name):
    assert not generate_docs.is_stale(name), f"docs/reference/{name}: run make docs"


def test_every_reference_page_is_generated():
    pages = {path.name for path in (generate_docs.ROOT / "docs" / "reference").iterdir()}
    assert pages == set(generate_docs.PAGES)
