"""Completion: what a shell is offered, in a real bash where it can be."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

import pytest

from app import create_app
from app.config.settings import Settings
from tests.cli.shell import Shell, environment, siteswap
from tests.pages import SITESWAP

FLOW = "mode: async\nsteps:\n  - log: hello\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A project with two flows, one of which has two versions and the other is broken."""
    made = Shell(tmp_path)
    for name in ("order/v1", "order/v2", "order/v2.test", "orphan/v1", ".hidden/v1"):
        made.flow(name, FLOW if "order" in name else "steps: [\n")
    return made


def completed(folder: Path, *words: str, **variables: str) -> list[str]:
    """What bash offers for the last of these words, with the script that it was given."""
    script = f"""
        source <(siteswap completion bash)
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        _siteswap_completion siteswap && printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{SITESWAP.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(PATH=path, **variables),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["r"], ["run", "runs"]),
        (["runs", ""], ["list", "show", "cancel", "retry", "prune"]),
        (["run", ""], ["order", "orphan"]),
        (["run", "ord"], ["order"]),
        (["show", "order", ""], ["v1", "v2"]),
        (["runs", "list", "--flow", "orp"], ["orphan"]),
        (["runs", "list", "--status", "F"], ["finish"]),
        (["tokens", "revoke", ""], ["crm"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bash_completes(shell: Shell, words: list[str], offered: list[str]) -> None:
    """Commands in their order, flow keys, versions, tokens that can be revoked."""
    shell.run("tokens", "new", "crm")
    assert completed(shell.root, "siteswap", *words, SITESWAP_TOKENS="ci=x") == offered


def test_run_ids_are_completed(shell: Shell) -> None:
    """The newest first; and looking for them makes no store where there is none."""
    assert completed(shell.root, "siteswap", "runs", "show", "") == []
    assert not (shell.root / "instance").exists()
    application = create_app(Settings.from_env({}, root=shell.root)).extensions["siteswap"]
    application.catalog.refresh()
    first, second = (application.runner.trigger("order", "v1", dict, dict) for _ in range(2))
    application.close(1.0)
    ids = [second.run_id, first.run_id]
    assert completed(shell.root, "siteswap", "runs", "show", "") == ids
    assert completed(shell.root, "siteswap", "runs", "cancel", ids[1][:12]) == ids[1:]


@pytest.mark.parametrize("words", [["run", ""], ["runs", "show", ""], ["tokens", "revoke", ""]])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITESWAP_STORE", "nonsense"),
        ("SITESWAP_STORE", "redis://10.255.255.1/0"),
        ("SITESWAP_STORE", "memory:"),
        ("SITESWAP_FLOW_DIR", "unknown"),
    ],
)
def test_completion_is_silent(tmp_path: Path, words: list[str], name: str, value: str) -> None:
    """Wrong settings, a store that does not answer: nothing is offered, and soon."""
    begun = time.monotonic()
    assert completed(tmp_path, "siteswap", *words, **{name: value}) == []
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("shell_name", "wanted"), [("zsh", "plain\norder\n_\n"), ("fish", "plain,order\n")]
)
def test_the_other_shells(shell: Shell, shell_name: str, wanted: str) -> None:
    """Their scripts ask for words as they understand them."""
    script = siteswap(shell.root, "completion", shell_name).stdout
    assert f"_SITESWAP_COMPLETE={shell_name}_complete" in script
    typed = {"COMP_WORDS": "siteswap run ord", "COMP_CWORD": "2"}
    typed |= {"COMP_CWORD": "ord"} if shell_name == "fish" else {}
    done = siteswap(shell.root, _SITESWAP_COMPLETE=f"{shell_name}_complete", **typed)
    assert done.stdout == wanted
