"""Every flow and every services file that a page shows is one the linter has nothing against."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

import pytest

from app.linking import link
from app.spec.diagnostics import Finding, render
from app.spec.loader import read_flow
from app.spec.services_file import load_services
from app.spec.surroundings import Surroundings
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
    surroundings = Surroundings()
    if services := shown.pop("services", None):
        write_tls_files(tmp_path, services)
        loaded = load_services(tmp_path, services, Surroundings())
        assert not loaded.findings, render_all("services.yaml", services, loaded.findings)
        surroundings = Surroundings(services=loaded.services, databases=loaded.databases)
    drafts = [read_flow(PurePath(f"{name}.yaml"), text) for name, text in shown.items()]
    for draft, linked in zip(drafts, link(drafts, {}, surroundings), strict=True):
        assert not linked.findings, render_all(str(draft.name), draft.text, linked.findings)


def render_all(name: str, text: str, findings: Iterable[Finding]) -> str:
    """Findings as the linter prints them."""
    return "\n".join(render(name, text, finding) for finding in findings)


def test_every_yaml_block_is_a_whole_file() -> None:
    """No yaml on any page escapes the tests."""
    shown = [block for page in [*PAGES, *COOKBOOK] for block in blocks(page, "yaml")]
    assert len(shown) == len(SHOWN)
