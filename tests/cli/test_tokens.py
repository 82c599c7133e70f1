"""``siteswap tokens new|list|revoke`` as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.config.tokens import Caller, TokenRegistry, digest_of
from tests.cli.shell import Shell

NOW = 1_800_000_000.0


class Tokens(Shell):
    """A shell at a time of its own, with one token in the environment."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, TOKENS="ci=inline")
        self.path = root / "instance" / "tokens.yaml"
        self.clock = lambda: NOW

    def registry(self) -> TokenRegistry:
        """What a process that starts now would know."""
        registry = TokenRegistry(self.path, {"ci": digest_of("inline")}, clock=lambda: NOW)
        registry.load()
        return registry


@pytest.fixture
def shell(tmp_path: Path) -> Tokens:
    """A shell where no token has been made yet."""
    return Tokens(tmp_path)


def test_a_new_token_is_all_that_standard_output_holds(shell: Tokens) -> None:
    """``TOKEN=$(siteswap tokens new crm)`` works; the word of warning goes to standard error."""
    result = shell.run(
        "tokens", "new", "crm", "--flows", "order_*, sync_example", "--expires", "30d"
    )
    token = result.stdout.strip()
    assert result.exit_code == 0
    assert shell.registry().authenticate(token, NOW) == Caller("crm", ("order_*", "sync_example"))
    assert shell.registry().authenticate(token, NOW + 30 * 86_400) is None
    assert result.stderr == "Token crm is made. Keep it now: only its digest is stored.\n"


def test_the_list_is_a_table(shell: Tokens) -> None:
    """Names, flows, times and state; never a token or a digest."""
    token = shell.run(
        "tokens", "new", "crm", "--flows", "order_*", "--expires", "1h"
    ).stdout.strip()
    shell.run("tokens", "new", "old", "--expires", "1s")
    shell.clock = lambda: NOW + 60
    result = shell.run("tokens", "list")
    assert result.exit_code == 0
    assert [line.split(maxsplit=4) for line in result.stdout.splitlines()] == [
        ["NAME", "FLOWS", "CREATED", "EXPIRES", "STATE"],
        ["crm", "order_*", "2027-01-15T08:00:00+00:00", "2027-01-15T09:00:00+00:00", "active"],
        ["old", "*", "2027-01-15T08:00:00+00:00", "2027-01-15T08:00:01+00:00", "expired"],
        ["ci", "*", "-", "-", "active (SITESWAP_TOKENS)"],
    ]
    assert token not in result.stdout
    assert digest_of(token) not in result.stdout
    crm, old, ci = json.loads(shell.run("tokens", "list", "--json").stdout)
    assert crm == {
        "name": "crm",
        "flows": ["order_*"],
        "created": "2027-01-15T08:00:00+00:00",
        "expires": "2027-01-15T09:00:00+00:00",
        "state": "active",
        "source": "file",
    }
    assert (old["flows"], old["state"]) == (["*"], "expired")
    assert (ci["created"], ci["source"]) == (None, "SITESWAP_TOKENS")


def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    """It is a sentence, not an empty table."""
    result = Shell(tmp_path).run("tokens", "list")
    said = "No tokens. Make one: siteswap tokens new NAME\n"
    assert (result.exit_code, result.stdout) == (0, said)


def test_a_revoked_token_is_gone(shell: Tokens) -> None:
    """It opens nothing any more."""
    token = shell.run("tokens", "new", "crm").stdout.strip()
    result = shell.run("tokens", "revoke", "crm")
    assert (result.exit_code, result.stdout) == (0, "Token crm is revoked.\n")
    assert shell.registry().authenticate(token, NOW) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("new", "ci"), "there is a token named ci already"),
        (("new", "a b"), "a token's name has up to 64 letters"),
        (("new", "a", "--flows", "a b"), "'a b' is not a flow key or a pattern"),
        (("new", "a", "--expires", "soon"), "'soon' is not a time; write 30d, 12h or 2026-12-31"),
        (("new", "a", "--expires", "2020-01-01"), "'2020-01-01' is in the past"),
        (("revoke", "nobody"), "there is no token named nobody"),
        (("revoke", "ci"), "is set in SITESWAP_TOKENS"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(
    shell: Tokens, words: tuple[str, ...], message: str
) -> None:
    """A sentence on standard error, and nothing on standard output."""
    result = shell.run("tokens", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_broken_file_is_a_sentence(shell: Tokens) -> None:
    """Not a traceback."""
    shell.path.parent.mkdir()
    shell.path.write_text("tokens: nonsense\n")
    result = shell.run("tokens", "list")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {shell.path}: the file is not a list of tokens\n"


@pytest.mark.parametrize(
    "words", [("new",), ("revoke",), ("list", "x"), ("make", "x"), ("new", "a", "--for")]
)
def test_a_wrong_command_line_is_status_2(shell: Tokens, words: tuple[str, ...]) -> None:
    """Usage errors are click's own."""
    assert shell.run("tokens", *words).exit_code == 2


def test_help_reads_nothing(shell: Tokens) -> None:
    """``--help`` works wherever it is typed, whatever is broken."""
    shell.environ["SITESWAP_STORE"] = "nonsense"
    assert shell.run("tokens", "new", "--help").exit_code == 0
    assert shell.run("tokens", "list").exit_code == 1
