"""What flows use of services.yaml and of secrets, as files change; see also tests/blackbox."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.catalog.catalog import Catalog
from app.catalog.services import Services
from app.config.secrets import Secrets
from app.errors import FlowNotFound

LOG = logging.getLogger("test")
CALL = "steps:\n  - http: GET crm:/\n"
GOOD = "services: {crm: {url: 'https://crm.example'}}\n"
BROKEN = "services: {crm: {url: crm.example}, shop: {url: 'https://shop.example'}}\n"


class World:
    """A flows folder and a secrets folder, watched by services and a catalog."""

    def __init__(self, root: Path) -> None:
        self.flows, self.secrets = root / "flows", root / "secrets"
        (self.flows / "one").mkdir(parents=True)
        self.secrets.mkdir()
        self.services = Services(self.flows, {"HOST": "h"}, Secrets({}, self.secrets), LOG)
        self.catalog = Catalog(self.flows, self.services.refresh, LOG)

    def write(self, text: str) -> None:
        """Write services.yaml, and let it be noticed."""
        (self.flows / "services.yaml").write_text(text)
        self.catalog.refresh()

    def flow(self, text: str) -> None:
        """Write the flow ``one``, and let it be noticed."""
        (self.flows / "one" / "v1.yaml").write_text(text)
        self.catalog.refresh()

    @property
    def is_served(self) -> bool:
        """Whether the flow ``one`` has a program."""
        try:
            self.catalog.get("one", "v1")
        except FlowNotFound:
            return False
        return True

    @property
    def codes(self) -> list[str]:
        """What is wrong with the flow ``one``."""
        return [each.code for entry in self.catalog.entries() for each in entry.diagnostics]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Empty folders."""
    return World(tmp_path)


def test_without_a_file_there_are_no_services(world: World) -> None:
    """So a name of one is an error, and what to write is said."""
    world.flow(CALL)
    assert world.codes == ["unknown-service"]
    assert not world.is_served


def test_a_service_that_comes_and_goes(world: World) -> None:
    """Flows that named it in vain are read again; a good one is served on when it goes."""
    world.flow(CALL)
    world.write(GOOD)
    assert world.codes == []
    assert world.is_served
    world.write("services: {}")
    assert world.codes == ["unknown-service"]
    assert world.is_served
    assert world.services.service("crm") is None


def test_a_broken_file_blames_no_flow(world: World) -> None:
    """Its names are known all the same, so each error is told once, in its own file."""
    world.flow(CALL)
    world.write(BROKEN)
    assert world.services.is_broken
    assert world.codes == []
    world.write("services: [")
    assert world.codes == []


def test_a_broken_file_replaces_no_good_one(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of it is used, not even its good parts; the log says so once."""
    world.write(GOOD)
    good = world.services.service("crm")
    world.write(BROKEN)
    world.catalog.refresh()
    assert world.services.service("crm") is good
    assert world.services.service("shop") is None
    assert len(caplog.records) == 1
    assert "flows/services.yaml:1:23: error bad-url" in caplog.text
    world.write(BROKEN.replace("url: crm.", "url: 'https://crm.").replace("le}, s", "le'}, s"))
    assert world.services.service("shop") is not None


def test_a_change_of_a_service_reads_no_flow_again(world: World) -> None:
    """Flows look it up when they call it."""
    world.write(GOOD)
    world.flow(CALL)
    before = world.catalog.get("one", "v1")
    world.write(GOOD.replace("crm.example", "new.example"))
    assert world.catalog.get("one", "v1") is before
    service = world.services.service("crm")
    assert service
    assert service.url.written == "https://new.example"


def test_a_file_that_goes_takes_its_services_along(world: World) -> None:
    """No file is a file without names."""
    world.write(GOOD)
    (world.flows / "services.yaml").unlink()
    world.catalog.refresh()
    assert world.services.service("crm") is None
    assert not world.services.is_broken


def test_a_secret_that_comes_late(world: World) -> None:
    """Flows and services that read it are good as soon as it is there."""
    world.write("services: {crm: {url: 'https://a.example', auth: {bearer: '${secrets.KEY}'}}}\n")
    world.flow("steps:\n  - log: ${secrets.KEY}\n")
    assert world.services.is_broken
    assert world.codes == ["unknown-secret"]
    (world.secrets / "KEY").write_text("abc")
    world.catalog.refresh()
    assert not world.services.is_broken
    assert world.is_served


def test_only_flows_that_use_the_outside_are_read_again(world: World) -> None:
    """A new name costs the others nothing."""
    world.flow("steps:\n  - log: hello\n")
    before = world.catalog.get("one", "v1")
    world.write(GOOD)
    assert world.catalog.get("one", "v1") is before


def test_an_accepted_run_outlives_its_service(world: World) -> None:
    """Its text is compiled again though the name is gone: the step will say what is wrong."""
    world.write(GOOD)
    world.flow(CALL)
    program = world.catalog.get("one", "v1")
    world.write("services: {}")
    world.flow("steps:\n  - log: changed\n")
    again = world.catalog.pinned("one", "v1", program.digest, lambda: program.source)
    assert again.digest == program.digest
