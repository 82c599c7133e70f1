"""Every flow and every services file that a page shows is one the linter has nothing against."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

import pytest

from app.catalog.loader import link, read_flow
from app.language.environment import Environment
from app.language.services.file import load_services
from app.yaml.diagnostics import Diagnostic, render
from tests.docs.reader import write_tls_files
from tests.pages import COOKBOOK, PAGES, Block, all_blocks, blocks, files

SHOWN = [
    pytest.param(page, block, id=f"{page.stem}: {block.file}")
    for page in [*PAGES, *COOKBOOK]
    for block in all_blocks(page)
    if block.file
]


@pytest.mark.parametrize(("page", "block"), SHOWN)
def test_a_shown_file_has_no_findings(page: Path, block: Block, tmp_path: Path) -> None:
    """It is checked together with the other files of its page."""
    shown = {**files(page), str(block.file): block.text}
    environment = Environment()
    if services := shown.pop("services", None):
        write_tls_files(tmp_path, services)
        loaded = load_services(tmp_path, services, Environment())
        assert not loaded.diagnostics, render_all("services.yaml", services, loaded.diagnostics)
        environment = Environment(services=loaded.services, databases=loaded.databases)
    drafts = [read_flow(PurePath(f"{name}.yaml"), text) for name, text in shown.items()]
    for draft, linked in zip(drafts, link(drafts, {}, environment), strict=True):
        assert not linked.diagnostics, render_all(str(draft.name), draft.text, linked.diagnostics)


def render_all(name: str, text: str, diagnostics: Iterable[Diagnostic]) -> str:
    """Findings as the linter prints them."""
    return "\n".join(render(name, text, diagnostic) for diagnostic in diagnostics)


def test_every_yaml_block_is_a_whole_file() -> None:
    """No yaml on any page escapes the tests."""
    shown = [block for page in [*PAGES, *COOKBOOK] for block in blocks(page, "yaml")]
    assert len(shown) == len(SHOWN)
