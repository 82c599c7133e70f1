"""Settings from files: which wins, what a line may be, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.env_file import with_env_files
from app.errors import SettingsError
from tests.cli.shell import Shell, siteswap


def test_the_environment_wins_then_the_named_file(tmp_path: Path) -> None:
    """``.env`` in the folder has the last word, and only where neither of the others has any."""
    (tmp_path / ".env").write_text("A=folder\nB=folder\nC=folder\n")
    named = tmp_path / "named"
    named.write_text("A=file\nB=file\n")
    merged = with_env_files({"A": "environment"}, tmp_path, named)
    assert merged == {"A": "environment", "B": "file", "C": "folder"}
    assert with_env_files({"A": "x"}, tmp_path / "elsewhere") == {"A": "x"}


def test_how_a_line_may_look(tmp_path: Path) -> None:
    """Comments, quotes and ``export`` are understood; a ``$`` is only a ``$``."""
    (tmp_path / ".env").write_text(
        "\ufeff# a comment\n\nA=plain # another\nexport B='# no comment'\n"
        'C="two\\nlines"\nD=pa${A}ss$1\nE=\n',
        encoding="utf-8",
    )
    values = with_env_files({}, tmp_path)
    assert values == {
        "A": "plain", "B": "# no comment", "C": "two\nlines", "D": "pa${A}ss$1", "E": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n\nA=1\n\nhunter2 x\n", "line 5 is not NAME=value"),
        (b"hunter2\n", "line 1 is not NAME=value"),
        (b"A=hunter2\0\n", "line 1 is not NAME=value"),
        (b"A='hunter2\n", "line 1 is not NAME=value"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, said: str) -> None:
    """The place is named, the line itself is not shown: it may hold a secret."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        with_env_files({}, tmp_path)
    assert caught.value.message == f"{tmp_path}/.env{' ' if 'cannot' in said else ': '}{said}"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """A ``.env`` that is no file is an error as well."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match=r"\.env cannot be read: Is a directory"):
        with_env_files({}, tmp_path)


def test_commands_read_them(tmp_path: Path) -> None:
    """From the command line to the setting; a name that no setting has is a warning, as ever."""
    for folder in ("one", "two", "three"):
        (tmp_path / folder / folder).mkdir(parents=True)
        (tmp_path / folder / folder / "v1.yaml").write_text("steps: []\n")
    (tmp_path / ".env").write_text("SITESWAP_FLOWS_DIR=one\nSITESWAP_FLOW_DIR=x\n")
    (tmp_path / "named").write_text("SITESWAP_FLOWS_DIR=two\n")
    for options, variables, flow in [
        ([], {}, "one"),
        (["--env-file", "named"], {}, "two"),
        (["--env-file", "named"], {"SITESWAP_FLOWS_DIR": "three"}, "three"),
    ]:
        done = siteswap(tmp_path, *options, "list", **variables)
        assert done.stdout.splitlines()[1].startswith(f"{flow} ")
        assert "SITESWAP_FLOW_DIR is not a setting; did you mean SITESWAP_FLOWS_DIR?" in done.stderr


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    """And stops neither help nor the version."""
    (tmp_path / ".env").write_text("SITESWAP_STORE memory:\n")
    done = siteswap(tmp_path, "runs", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path}/.env: line 1 is not NAME=value\n"
    assert siteswap(tmp_path, "runs", "list", "--help").returncode == 0
    done = siteswap(tmp_path, "--env-file", "nowhere", "list")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_language_of_our_own_words(tmp_path: Path) -> None:
    """``SITESWAP_LANGUAGE=en`` for what is ours; the words of the seed's codes stay as they are."""
    shell = Shell(tmp_path)
    shell.flow("ours/v1", "inputs: {n: integer}\nsteps:\n  - log: ${inputs.n}\n")
    shell.flow("seed/v1", "steps:\n  - fail: {message: no}\n")
    (tmp_path / ".env").write_text("SITESWAP_LANGUAGE=en\n")
    ours, seed = siteswap(tmp_path, "run", "ours"), siteswap(tmp_path, "run", "seed")
    assert '"errorMsg":"wrong inputs: n: missing; expected' in ours.stdout
    assert '"errorCode":1,"errorMsg":"系统错误' in seed.stdout
    chinese = siteswap(tmp_path, "run", "ours", SITESWAP_LANGUAGE="zh")
    assert '"errorMsg":"流程入参错误: n: missing; expected' in chinese.stdout
