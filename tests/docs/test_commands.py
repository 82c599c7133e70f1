"""Every command of the docs prints what its page shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.reader import Reader, reading
from tests.pages import PAGES, README, all_blocks

TYPED = [
    pytest.param(page, number, id=f"{page.stem}: {block.heading}")
    for page in PAGES
    if page != README
    for number, block in enumerate(each for each in all_blocks(page) if each.language == "console")
]
"""The commands of the README are typed in a fresh clone."""


@pytest.fixture(scope="module")
def reader_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Reader]]:
    """Gives the reader of a page; the tests of one page follow each other, and share it."""
    readers: dict[Path, Reader] = {}
    with ExitStack() as current:

        def reader_of(page: Path) -> Reader:
            if page not in readers:
                current.close()
                folder = tmp_path_factory.mktemp(page.stem)
                readers[page] = current.enter_context(reading(page, folder))
            return readers[page]

        yield reader_of


@pytest.mark.parametrize(("page", "number"), TYPED)
def test_a_block_of_commands_prints_what_is_shown(
    reader_of: Callable[[Path], Reader], page: Path, number: int
) -> None:
    """A reader who types along sees the same."""
    reader_of(page).read_on(number)
