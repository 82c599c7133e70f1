"""Named tokens: made, known, refused, revoked, and their file."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config.tokens import (
    Caller,
    Token,
    TokenError,
    TokenRegistry,
    digest_of,
    ensure_first_token,
    parse_expiry,
    random_token,
    write_tokens,
)

NOW = 1_800_000_000.0
DAY = 86_400
Make = Callable[..., TokenRegistry]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tokens file will be; its folder is not there yet."""
    return tmp_path / "instance" / "tokens.yaml"


@pytest.fixture
def registry(path: Path) -> TokenRegistry:
    """A registry whose clock does not move and whose tokens are ``token-1``, ``token-2`` …"""
    numbers = count(1)
    return TokenRegistry(path, clock=lambda: NOW, make_token=lambda: f"token-{next(numbers)}")


def other(path: Path, **inline: str) -> TokenRegistry:
    """What another process has, which only reads."""
    digests = {name: digest_of(token) for name, token in inline.items()}
    registry = TokenRegistry(path, digests, clock=lambda: NOW)
    registry.refresh()
    return registry


def test_a_new_token_is_known_at_once(registry: TokenRegistry) -> None:
    """Its text is answered with its name."""
    text = registry.new("crm")
    assert registry.authenticate(text, NOW) == Caller("crm")


def test_another_text_is_nobody(registry: TokenRegistry) -> None:
    """Neither a wrong token, nor a name, nor a digest opens anything."""
    text = registry.new("crm")
    for wrong in ("", "crm", text + " ", text.upper(), digest_of(text)):
        assert registry.authenticate(wrong, NOW) is None


@given(st.text(st.characters(exclude_categories=())))
@settings(deadline=None, max_examples=200)
def test_any_text_may_be_asked(text: str) -> None:
    """Half characters, NUL and right-to-left marks are only wrong, never an error."""
    assert TokenRegistry(Path("none")).authenticate(text, NOW) is None
    known = TokenRegistry(Path("none"), {"odd": digest_of(text)})
    assert known.authenticate(text, NOW) == Caller("odd")


def test_a_token_ends_at_its_expiry(registry: TokenRegistry) -> None:
    """It is good until that moment and not in it."""
    text = registry.new("crm", expires=NOW + 60)
    assert registry.authenticate(text, NOW + 59.9)
    assert registry.authenticate(text, NOW + 60) is None


@pytest.mark.parametrize(
    ("patterns", "key", "may"),
    [
        ((), "anything", True),
        (("order_*", "sync_example"), "order_place", True),
        (("order_*", "sync_example"), "sync_example", True),
        (("order_*",), "reorder_x", False),
        (("order_*",), "Order_x", False),
        (("flow-[ab]",), "flow-b", True),
        (("flow-?",), "flow-10", False),
    ],
)
def test_patterns_limit_what_may_be_called(patterns: tuple[str, ...], key: str, may: bool) -> None:
    """They are shell patterns over whole flow keys; none means all."""
    assert Caller("crm", patterns).may_call(key) is may


def test_patterns_come_back_from_the_file(registry: TokenRegistry, path: Path) -> None:
    """Another process knows the caller with its patterns."""
    text = registry.new("crm", ["order_*", "*"])
    assert other(path).authenticate(text, NOW) == Caller("crm", ("order_*", "*"))


def test_a_random_token_is_long_and_safe_in_a_query_and_a_shell() -> None:
    """256 bits, in characters that nothing has to quote."""
    tokens = {random_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("sws_") and len(token) >= 47 for token in tokens)
    assert all(token.replace("-", "").replace("_", "").isalnum() for token in tokens)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "x" * 65, "name\n", "名"])
def test_a_name_is_plain(registry: TokenRegistry, path: Path, name: str) -> None:
    """A name that does not fit in a log line or a table is refused, and nothing is written."""
    with pytest.raises(TokenError, match="a token's name"):
        registry.new(name)
    assert not path.exists()


@pytest.mark.parametrize("pattern", ["", "a b", "a,b", "order/v1", "名*"])
def test_a_pattern_must_be_able_to_match(registry: TokenRegistry, pattern: str) -> None:
    """A pattern with characters that no flow key has is refused."""
    with pytest.raises(TokenError, match="is not a flow key or a pattern"):
        registry.new("crm", [pattern])


def test_a_name_is_used_once(path: Path) -> None:
    """Neither the file nor the environment has it already."""
    registry = other(path, ci="inline-token")
    registry.new("crm")
    for name in ("crm", "ci"):
        with pytest.raises(TokenError, match=f"there is a token named {name} already"):
            registry.new(name)


def test_a_revoked_token_is_nobody(registry: TokenRegistry, path: Path) -> None:
    """Here at once, elsewhere at the next look; the others stay."""
    gone, stays = registry.new("gone"), registry.new("stays")
    elsewhere = other(path)
    registry.revoke("gone")
    assert registry.authenticate(gone, NOW) is None
    assert elsewhere.authenticate(gone, NOW)
    elsewhere.refresh()
    assert elsewhere.authenticate(gone, NOW) is None
    assert elsewhere.authenticate(stays, NOW) == Caller("stays")


def test_only_what_is_there_can_be_revoked(path: Path) -> None:
    """An unknown name and one of the environment are told apart."""
    registry = other(path, ci="inline-token")
    with pytest.raises(TokenError, match="there is no token named unknown"):
        registry.revoke("unknown")
    with pytest.raises(TokenError, match="set in SITESWAP_TOKENS"):
        registry.revoke("ci")


def test_the_list_holds_file_and_environment(path: Path) -> None:
    """In this order, and without any token."""
    registry = other(path, ci="inline-token")
    text = registry.new("crm", ["order_*"], NOW + DAY)
    assert registry.list() == (
        Token("crm", digest_of(text), ("order_*",), NOW, NOW + DAY),
        Token("ci", digest_of("inline-token"), inline=True),
    )


def test_the_first_token_is_made_once(registry: TokenRegistry, path: Path) -> None:
    """Only where there is none at all."""
    text = ensure_first_token(registry)
    assert text is not None
    assert registry.authenticate(text, NOW) == Caller("first")
    assert ensure_first_token(registry) is None


def test_an_inline_token_is_a_first_token(path: Path) -> None:
    """A container that brings its token gets no other."""
    assert ensure_first_token(other(path, ci="inline-token")) is None
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("12h", 43_200), ("30d", 30 * DAY)],
)
def test_an_expiry_is_a_span(text: str, seconds: int) -> None:
    """Seconds, minutes, hours or days from now."""
    assert parse_expiry(text, NOW) == NOW + seconds


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2030-01-31", 1_896_134_400),
        ("2030-02-01T00:00:00Z", 1_896_134_400),
        ("2030-02-01T01:00+01:00", 1_896_134_400),
        ("2030-02-01T00:00", 1_896_134_400),
    ],
)
def test_an_expiry_is_a_moment(text: str, end: float) -> None:
    """A date lasts to its end; a time without a zone is UTC."""
    assert parse_expiry(text, NOW) == end


@pytest.mark.parametrize(
    "text", ["soon", "", "30", "-1d", "1.5h", "9999-12-31", "0d", "2020-01-01"]
)
def test_an_expiry_that_is_none_is_refused(text: str) -> None:
    """Neither nonsense nor the past."""
    with pytest.raises(TokenError, match=r"is not a time|is in the past"):
        parse_expiry(text, NOW)


def test_the_file_is_private_and_holds_no_token(registry: TokenRegistry, path: Path) -> None:
    """Mode 0600 in a folder of mode 0700, and only digests in it."""
    text = registry.new("crm")
    content = path.read_text()
    assert text not in content
    assert hashlib.sha256(text.encode()).hexdigest() in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["tokens.yaml"]


def test_a_write_that_fails_changes_nothing(registry: TokenRegistry, path: Path) -> None:
    """A folder in the place of the file is an error with a reason, and leaves no scrap."""
    path.mkdir(parents=True)
    (path / "x").touch()
    with pytest.raises(OSError, match="directory"):
        write_tokens(path, [Token("a", "0" * 64)])
    assert os.listdir(path.parent) == ["tokens.yaml"]
    with pytest.raises(TokenError, match=r"tokens.yaml cannot be read: Is a directory"):
        registry.new("crm")


def test_a_link_to_the_file_stays_a_link(registry: TokenRegistry, path: Path) -> None:
    """What is replaced is the file that the link names."""
    path.parent.mkdir()
    real = path.parent / "real.yaml"
    path.symlink_to(real)
    text = registry.new("crm")
    assert path.is_symlink()
    assert other(real).authenticate(text, NOW)


WRITER = """
import sys
from pathlib import Path
from app.config.tokens import TokenRegistry
for number in range(5):
    TokenRegistry(Path(sys.argv[1])).new(f"{sys.argv[2]}-{number}")
"""


def test_writers_in_several_processes_lose_nothing(path: Path) -> None:
    """Three processes add five tokens each: there are fifteen."""
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert len(other(path).list()) == 15


def test_a_broken_file_keeps_what_was_known_and_is_logged_once(
    registry: TokenRegistry, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it is mended; the log names the place and quotes nothing."""
    text = registry.new("crm")
    running = other(path)
    path.write_text(f"tokens:\n  - name: crm\n    sha256: {text}\n    flow: x\n")
    with caplog.at_level(logging.ERROR):
        running.refresh()
        running.refresh()
    assert running.authenticate(text, NOW) == Caller("crm")
    (record,) = caplog.records
    assert "token 1, sha256 is not the 64 hex digits" in record.getMessage()
    assert "token 1, flow is not a key of a token" in record.getMessage()
    assert text not in record.getMessage()
    path.write_text("tokens: []\n")
    running.refresh()
    assert running.authenticate(text, NOW) is None


def test_a_removed_file_is_no_tokens(registry: TokenRegistry, path: Path) -> None:
    """Whoever takes the file away takes all of its tokens back."""
    text = registry.new("crm")
    running = other(path)
    path.unlink()
    running.refresh()
    assert running.authenticate(text, NOW) is None


def test_a_broken_file_stops_what_must_not_start_with_it(path: Path) -> None:
    """``load`` refuses, names the file, and quotes nothing."""
    path.parent.mkdir()
    path.write_text("tokens: [hunter2\n")
    with pytest.raises(TokenError, match=r"tokens\.yaml: line 2: this is not YAML") as caught:
        TokenRegistry(path).load()
    assert "hunter2" not in str(caught.value)
