"""Every link of the README and the docs leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import COOKBOOK, PAGES, PROJECT

LINK = re.compile(r"\]\(((?!https?:)[^)#\s]*)(?:#([^)\s]*))?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TREE_LINE = re.compile(r"^  ((?:[\w/]+(?:\.py|/)(?:, )?)+)", re.MULTILINE)
READ = [*PAGES, PROJECT / "CHANGELOG.md", *COOKBOOK]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """There is the file, and there is the heading in it."""
    for name, anchor in LINK.findall(prose(page)):
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


def test_every_page_is_linked() -> None:
    """No page of the docs is left out by the others."""
    linked = {
        (page.parent / name).resolve() for page in READ for name, _ in LINK.findall(prose(page))
    }
    assert linked >= {*PAGES[1:], *COOKBOOK}


def test_every_file_that_development_names_is_there() -> None:
    """Paths begin at the project folder, or at ``app/``."""
    text = (PROJECT / "docs" / "development.md").read_text()
    tree = [name for block in FENCED.findall(text) for name in TREE_LINE.findall(block)]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", text) + ", ".join(tree).split(", ")
    assert len(named) > 20
    folders = (PROJECT, PROJECT / "app")
    assert [name for name in named if not any((one / name).exists() for one in folders)] == []
