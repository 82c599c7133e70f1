"""``siteswap lint`` on a folder of broken flows: each mistake at its place, with a hint."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from app.catalog.loader import load_flow
from app.cli.lint import flows_to_call, read_draft
from app.yaml.diagnostics import Severity
from tests.lint.corpus import (
    BROKEN,
    FILES,
    NOTHING_OUTSIDE,
    ROOT,
    SERVICES_FOLDERS,
    expected,
)
from tests.pages import siteswap

PROJECT = ROOT.parent.parent


def lint(*arguments: str, cwd: Path = PROJECT, **variables: str) -> Result:
    """The command as a person types it who trusts authors; else with nothing of our settings."""
    return siteswap(cwd, "lint", *arguments, variables={"SITESWAP_PYTHON_STEPS": "on", **variables})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_mistake_is_found_at_its_place(file: Path) -> None:
    """A broken file has exactly the findings that stand in its first lines, in order."""
    draft = read_draft(file)
    flows = flows_to_call(BROKEN, [draft], [], NOTHING_OUTSIDE)
    found = draft.check(replace(NOTHING_OUTSIDE, flows=flows)).diagnostics
    wanted = expected(draft.text)
    assert len(found) == len(wanted), found
    for diagnostic, one in zip(found, wanted, strict=True):
        assert one.matches(diagnostic), (one, diagnostic)


def test_the_folder_covers_the_language() -> None:
    """Enough files are broken, no flow is fine, and each has something to expect."""
    assert len(FILES) + len(SERVICES_FOLDERS) >= 80
    assert all(expected(file.read_text(encoding="utf-8")) for file in FILES)


def test_text_output_reads_well() -> None:
    """The whole output for the folder is the one that was read by people and found good.

    After a wording has changed on purpose:
    ``SITESWAP_PYTHON_STEPS=on siteswap lint tests/lint/broken > tests/lint/expected.txt``, then
    read the difference.
    """
    done = lint("tests/lint/broken")
    assert done.stdout == (ROOT / "expected.txt").read_text(encoding="utf-8")
    assert done.stderr == ""
    assert done.exit_code == 1


def lint_services(*arguments: str) -> Result:
    """The command for the folders with a ``services.yaml``, where two secrets are known."""
    folders = [str(folder.relative_to(PROJECT)) for folder in SERVICES_FOLDERS]
    return lint(*folders, *arguments, SITESWAP_SECRET_KEY="k", SITESWAP_SECRET_CRM_KEY="k")


def test_every_mistake_around_services_is_found_at_its_place() -> None:
    """In services.yaml, and in the flows that use it."""
    rows = json.loads(lint_services("--format", "json").stdout)
    for folder in SERVICES_FOLDERS:
        for file in sorted(folder.glob("**/*.yaml")):
            found = [row for row in rows if row["path"] == str(file.relative_to(PROJECT))]
            wanted = expected(file.read_text(encoding="utf-8"))
            keys = ("line", "column", "severity", "code")
            assert [tuple(row[key] for key in keys) for row in found] == [one[:4] for one in wanted]
            assert all(
                one.hint in (row["hint"] or "") for row, one in zip(found, wanted, strict=True)
            )


def test_text_about_services_reads_well() -> None:
    """The whole output is the one that was read by people and found good.

    After a wording has changed on purpose, write what this test prints to
    ``tests/lint/expected_services.txt``, then read the difference.
    """
    done = lint_services()
    assert done.stdout == (ROOT / "expected_services.txt").read_text(encoding="utf-8"), done.stdout
    assert done.exit_code == 1


def test_json_output_holds_the_same_findings() -> None:
    """``--format json`` is for tools: one object a finding, in the order of files and places."""
    done = lint("tests/lint/broken", "--format", "json")
    rows = json.loads(done.stdout)
    wanted = [
        (str(file.relative_to(PROJECT)), *one[:4])
        for file in FILES
        for one in expected(file.read_text(encoding="utf-8"))
    ]
    keys = ("path", "line", "column", "severity", "code")
    assert [tuple(row[key] for key in keys) for row in rows] == wanted
    assert all(row["message"] and row["length"] >= 1 and "hint" in row for row in rows)
    assert done.exit_code == 1


def test_the_shipped_flows_are_clean() -> None:
    """Without a path the flows folder is checked; clean files are counted and the status is 0."""
    done = lint()
    assert re.fullmatch(r"\d+ files: 0 errors, 0 warnings\n", done.stdout)
    assert done.stderr == ""
    assert done.exit_code == 0


def test_warnings_alone_are_no_failure() -> None:
    """A file with nothing but warnings can be served, so the status is 0."""
    done = lint("tests/lint/broken/unused_inputs")
    assert "1 file: 0 errors, 2 warnings" in done.stdout
    assert done.exit_code == 0


@pytest.mark.parametrize(
    "arguments", [["no/such/file.yaml"], ["--format", "xml"], ["--strict"]], ids=" ".join
)
def test_a_wrong_command_line_has_status_2(arguments: list[str]) -> None:
    """What is wrong with the command line is said on standard error, with status 2."""
    done = lint(*arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr
    assert done.stdout == ""


def test_paths_are_shown_as_they_were_given(tmp_path: Path) -> None:
    """A file, a flow folder or a flows folder can be named, from anywhere; tests are no flows."""
    for name in ("a/v1.yaml", "a/v2.yaml", "a/v1.test.yaml", "b/v1.yaml", "b/.v2.yaml"):
        file = tmp_path / "flows" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("steps:\n  - hello\n", encoding="utf-8")
    done = lint("flows/a", "flows/b/v1.yaml", "--format", "json", cwd=tmp_path)
    paths = [row["path"] for row in json.loads(done.stdout)]
    assert paths == ["flows/a/v1.yaml", "flows/a/v2.yaml", "flows/b/v1.yaml"]
    done = lint("flows", "--format", "json", cwd=tmp_path)
    assert [row["path"] for row in json.loads(done.stdout)] == paths


def test_a_flow_that_is_linted_alone(tmp_path: Path) -> None:
    """What it may use stands beside its folder; where nothing does, nobody can say what is there.

    In the flows folder itself, no services.yaml means that there are no services.
    """
    for folder in ("flows", "known", "unknown"):
        file = tmp_path / folder / "a" / "v1.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("steps:\n  - http: GET crm:/\n", encoding="utf-8")
    (tmp_path / "known" / "services.yaml").write_text("services: {}\n", encoding="utf-8")
    for folder, status in (("flows", 1), ("known", 1), ("unknown", 0)):
        done = lint(f"{folder}/a/v1.yaml", cwd=tmp_path)
        assert ("there is no service `crm`" in done.stdout) is bool(status)
        assert done.exit_code == status


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"name: \xff\xfe", "bad-encoding", (1, 7)),
        ("steps:\n  - log: ä".encode("utf-16"), "bad-encoding", (1, 1)),
        (b"name: x\nsteps:\n  - log: a\x00b\n", "bad-character", (3, 11)),
        (b"# " + b"x" * 256 * 1024, "too-large", (1, 1)),
    ],
    ids=["not-utf-8", "utf-16", "control-character", "too-large"],
)
def test_files_that_are_no_text(data: bytes, code: str, place: tuple[int, int]) -> None:
    """What no editor shows is refused with its place, and shown escaped."""
    (diagnostic,) = load_flow(BROKEN / "some" / "v1.yaml", data, NOTHING_OUTSIDE).diagnostics
    assert (diagnostic.code, (diagnostic.line, diagnostic.column)) == (code, place)


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    """A file saved by Notepad is the same flow, and its mistakes have the same places."""
    text = "\ufeffname: x\r\nsteps:\r\n  - logg: hello\r\n"
    (diagnostic,) = load_flow(
        BROKEN / "some" / "v1.yaml", text.encode(), NOTHING_OUTSIDE
    ).diagnostics
    assert (diagnostic.line, diagnostic.column, diagnostic.hint) == (3, 5, "write `log` instead")
    good = load_flow(
        BROKEN / "some" / "v1.yaml", text.replace("logg", "log").encode(), NOTHING_OUTSIDE
    )
    assert good.flow is not None
    assert all(diagnostic.severity is Severity.WARNING for diagnostic in good.diagnostics)


CALLER = "steps:\n  - call: b/v1\n"
FINE = "steps:\n  - log: hello\n"
WRONG = "steps:\n  - logg: hello\n"
UNREADABLE = "steps: [\n"


def lint_files(folder: Path, *paths: str, **files: str) -> list[str]:
    """Codes of what is found in these paths, once ``key/v1.yaml`` is written for each keyword."""
    for key, text in files.items():
        file = folder / "flows" / key / "v1.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    done = lint(*paths, "--format", "json", cwd=folder)
    return [f"{row['path'].split('/')[-2]} {row['code']}" for row in json.loads(done.stdout)]


def test_a_flow_may_call_those_that_stand_beside_it(tmp_path: Path) -> None:
    """Wherever its folder is, and whether the file, its flow or the whole folder is named."""
    for path in ("flows/a/v1.yaml", "flows/a", "flows", str(tmp_path / "flows" / "a")):
        assert lint_files(tmp_path, path, a=CALLER, b=FINE) == []
    assert lint_files(tmp_path / "flows" / "a", "v1.yaml") == []


def test_a_flow_may_call_those_that_are_served(tmp_path: Path) -> None:
    """A draft that stands elsewhere is checked against the flows folder."""
    lint_files(tmp_path, "flows", a=CALLER, b=FINE)
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    (tmp_path / "flows" / "a").rename(drafts / "a")
    assert lint_files(tmp_path, "drafts") == []
    (tmp_path / "flows" / "b").rename(tmp_path / "flows" / "c")
    assert lint_files(tmp_path, "drafts") == ["a unknown-flow"]


def test_two_folders_are_kept_apart(tmp_path: Path) -> None:
    """Flows of the same name, each beside its own caller."""
    needs = "inputs: {n: integer}\nsteps:\n  - log: ${inputs.n}\n"
    for part, text in (("one", FINE), ("two", needs)):
        lint_files(tmp_path / part, "flows", a=CALLER, b=text)
    done = lint("one/flows", "two/flows", "--format", "json", cwd=tmp_path)
    assert [(row["path"], row["code"]) for row in json.loads(done.stdout)] == [
        ("two/flows/a/v1.yaml", "missing-input")
    ]


def test_mistakes_of_a_called_flow_are_told_once(tmp_path: Path) -> None:
    """Where they stand; and at the call, if the called flow was not looked at."""
    flows = {"a": CALLER, "b": WRONG}
    assert lint_files(tmp_path, "flows", **flows) == ["b unknown-verb"]
    assert lint_files(tmp_path, "flows/a", **flows) == ["a broken-flow"]
    chain = {"b": "steps:\n  - call: c/v1\n", "c": WRONG}
    assert lint_files(tmp_path, "flows/a", **chain) == ["a broken-flow"]
    assert lint_files(tmp_path, "flows/a", b=UNREADABLE) == ["a broken-flow"]
