"""The catalog's snapshots, without a server; what callers see of it is in ``tests/blackbox``."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.catalog.catalog import Catalog
from app.language.environment import Environment

FLOW = "outputs: {text: string}\nsteps:\n  - return: {text: a}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A flows folder with one flow."""
    folder = tmp_path / "flows"
    (folder / "one").mkdir(parents=True)
    (folder / "one" / "v1.yaml").write_text(FLOW)
    return folder


@pytest.fixture
def catalog(folder: Path) -> Catalog:
    """A catalog of the folder, read once."""
    catalog = Catalog(folder, Environment, logging.getLogger("test"))
    assert catalog.refresh()
    return catalog


def test_an_unchanged_folder_is_not_read_again(catalog: Catalog) -> None:
    """A look that finds nothing new keeps the very same programs."""
    before = catalog.get("one", "v1")
    assert not catalog.refresh()
    assert catalog.get("one", "v1") is before


def test_only_what_changed_is_read_again(catalog: Catalog, folder: Path) -> None:
    """The program of a file that did not change is kept."""
    before = catalog.get("one", "v1")
    (folder / "one" / "v2.yaml").write_text(FLOW)
    assert catalog.refresh()
    assert catalog.get("one", "v1") is before
    assert catalog.latest("one") == "v2"


def test_a_lost_folder_is_reported_once(
    catalog: Catalog, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it can be read again; meanwhile the flows are kept."""
    for _ in range(2):
        aside = folder.rename(folder.with_name("aside"))
        caplog.clear()
        assert not any(catalog.refresh() for _ in range(3))
        assert [record.message.split(" /")[0] for record in caplog.records] == [
            "cannot read the flows folder"
        ]
        assert catalog.get("one", "v1")
        aside.rename(folder)
        assert not catalog.refresh()


def test_a_broken_file_is_reported_once(
    catalog: Catalog, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time it breaks anew, not at each look."""
    for text in ("steps: [1]\n", "steps: [12]\n"):
        caplog.clear()
        (folder / "one" / "v1.yaml").write_text(text)
        assert [catalog.refresh() for _ in range(3)] == [True, False, False]
        assert len(caplog.records) == 1
        assert catalog.get("one", "v1")


def test_the_log_quotes_no_secret(
    catalog: Catalog, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning of a secret in a file names the line, not the secret."""
    secret = "inputs:\n  key: {type: string, secret: true, default: hunter2-in-clear}\n"
    (folder / "one" / "v1.yaml").write_text(f"{secret}steps: [1]\n")
    assert catalog.refresh()
    assert "secret-in-file" in caplog.text
    assert "v1.yaml:2:" in caplog.text
    assert "hunter2-in-clear" not in caplog.text
