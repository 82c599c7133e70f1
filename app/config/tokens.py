"""Named tokens: who may call which flows, and the file that lists them.

Only digests are kept, so a copied file opens nothing. A token is 256 random bits, which cannot be
guessed, so one plain SHA-256 is enough: the slow hashes that passwords need would be paid on every
request. A digest is looked up in a table; what the time of that tells a caller is about a digest,
not about a token.

The file is YAML, written by ``siteswap tokens`` and fit to be edited by hand::

    tokens:
      - name: crm
        sha256: 4b3f…                          # 64 hex digits, of the token
        created: '2026-01-31T12:00:00+00:00'
        flows: [order_*, sync_example]         # left out: every flow
        expires: '2026-12-31T00:00:00+00:00'   # left out: never

No message made here repeats a value of the file: it may be a token, put where its digest belongs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from app.config.watched import WatchedFiles
from app.durations import parse_duration
from app.errors import SiteswapError

PREFIX = "sws_"
"""Begins every token made here, so that secret scanners can tell what a leaked one is."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A token's name: log lines and tables show it, so it is short and plain."""

PATTERN = re.compile(r"[A-Za-z0-9_*?\[\]!-]{1,64}")
"""A shell pattern over flow keys: the characters of a key, and ``* ? [ ] !``."""

MAX_BYTES = 1_000_000
"""Of the file."""

HEADER = """\
# Who may call flows. Kept by `siteswap tokens new|list|revoke`, which drops comments of your own.
# `sha256` is the digest of a token, never the token itself.
"""


class TokenError(SiteswapError):
    """The tokens file, or what was asked of it, is wrong; the message says what to do."""

    words = "Token error"
    words_en = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One named token; times are seconds since the epoch. No ``flows`` means every flow."""

    name: str
    sha256: str
    flows: tuple[str, ...] = ()
    created: float | None = None
    expires: float | None = None
    inline: bool = False
    """It comes from the environment, not from the file."""

    def is_expired(self, now: float) -> bool:
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, known by a token."""

    name: str
    patterns: tuple[str, ...] = ()

    def may_call(self, flow_key: str) -> bool:
        """Whether a pattern covers this flow; no pattern at all covers every flow."""
        return not self.patterns or any(fnmatchcase(flow_key, each) for each in self.patterns)


def random_token() -> str:
    """A new token: safe in a URL query, in a header and between shell quotes."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """SHA-256 as hex of any text at all, lone surrogates included."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def parse_expiry(text: str, now: float) -> float:
    """The end of ``30d``, ``12h``, ``2026-12-31`` or an ISO date-time, in seconds since the epoch.

    Raises:
        TokenError: it is none of these, is over already, or lies beyond the year 9999.
    """
    try:
        seconds = parse_duration(text)
        end = parse_moment(text) if seconds is None else now + seconds
        format_moment(end)
    except (ValueError, OverflowError):
        raise TokenError(f"{text!r} is not a time; write 30d, 12h or 2026-12-31") from None
    if end <= now:
        raise TokenError(f"{text!r} is in the past")
    return end


def parse_moment(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date or date-time; UTC unless it says otherwise.

    A date alone means the end of that day: what expires on the 31st still works on the 31st.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def format_moment(seconds: float) -> str:
    """ISO 8601 in UTC, to the second: what :func:`parse_moment` reads."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class TokenRegistry:
    """The tokens of a file and of the environment.

    Making one reads nothing: call :meth:`load` where a broken file must stop the start, and
    :meth:`refresh` where it must not. Safe to use from many threads; other processes that change
    the file are noticed by ``refresh``.
    """

    def __init__(
        self,
        path: Path,
        inline: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        make_token: Callable[[], str] = random_token,
        log: logging.Logger | None = None,
    ) -> None:
        """``inline`` maps names to SHA-256 hex digests."""
        self._path = path
        self._inline = tuple(
            Token(name, sha256, inline=True) for name, sha256 in (inline or {}).items()
        )
        self._clock = clock
        self._make_token = make_token
        self._log = log or logging.getLogger(__name__)
        self._file = WatchedFiles(path)
        self._use(())

    def authenticate(self, token: str, now: float) -> Caller | None:
        """Whose token this is; ``None`` if it is unknown, or has expired at ``now``."""
        known = self._known.get(digest_of(token))
        if known is None or known[0].is_expired(now):
            return None
        return known[1]

    def load(self) -> None:
        """Read the file; no file is no tokens.

        Raises:
            TokenError: it cannot be read, or has errors; the message has a line for each.
        """
        self._file.remember([self._path])
        self._use(self._read())

    def refresh(self) -> None:
        """Read the file again if it has changed: one ``stat`` if not. Called every second.

        A broken file is logged once, and the tokens read before stay valid.
        """
        if self._file.have_changed():
            try:
                self.load()
            except TokenError as error:
                self._log.error("%s; the tokens read before stay valid", error.message)

    def list(self) -> tuple[Token, ...]:
        """Every token, those of the file first, as they are now.

        Raises:
            TokenError: as :meth:`load`.
        """
        return (*self._read(), *self._inline)

    def new(self, name: str, flows: Sequence[str] = (), expires: float | None = None) -> str:
        """Add a token to the file and return its text, which cannot be had a second time.

        Raises:
            TokenError: the name is taken or not a name, a pattern cannot match a flow key, or the
                file cannot be read or written.
        """
        _check(name, flows)
        text = self._make_token()
        token = Token(name, digest_of(text), tuple(flows), self._clock(), expires)

        def add(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            if any(name == taken.name for taken in (*tokens, *self._inline)):
                raise TokenError(f"there is a token named {name} already")
            return (*tokens, token)

        self._change(add)
        return text

    def revoke(self, name: str) -> None:
        """Take a token out of the file; running servers refuse it within a second or two.

        Raises:
            TokenError: the file has no token of this name, or cannot be read or written.
        """

        def remove(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            kept = tuple(token for token in tokens if token.name != name)
            if len(kept) < len(tokens):
                return kept
            if any(name == token.name for token in self._inline):
                raise TokenError(f"the token {name} is set in SITESWAP_TOKENS; take it out there")
            raise TokenError(f"there is no token named {name}")

        self._change(remove)

    def _change(self, edit: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        try:
            with _only_writer(self._path):
                tokens = edit(self._read())
                write_tokens(self._path, tokens)
        except OSError as error:
            raise TokenError(f"{self._path} cannot be written: {error.strerror}") from error
        self._use(tokens)

    def _use(self, tokens: tuple[Token, ...]) -> None:
        # One assignment: a request sees the tokens of before or of after, never a part.
        self._known = {
            token.sha256: (token, Caller(token.name, token.flows))
            for token in (*tokens, *self._inline)
        }

    def _read(self) -> tuple[Token, ...]:
        try:
            return read_tokens(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokenError(f"{self._path} cannot be read: {error.strerror}") from error
        except TokenError as error:
            lines = error.message.splitlines()
            raise TokenError("\n".join(f"{self._path}: {line}" for line in lines)) from None


def ensure_first_token(registry: TokenRegistry) -> str | None:
    """Make the token ``first`` if there is no token at all, and return its text; else ``None``.

    Raises:
        TokenError: as :meth:`TokenRegistry.new`.
    """
    return None if registry.list() else registry.new("first")


def read_tokens(text: bytes) -> tuple[Token, ...]:
    """The tokens of a file's content.

    Raises:
        TokenError: with a line for each error.
    """
    document = _parse(text)
    if document in (None, "", {"tokens": ""}):
        return ()
    if not isinstance(document, dict):
        raise TokenError("the file is not a mapping with the key tokens")
    entries = document.pop("tokens", None)
    issues = [f"{_shown(key)} is not a key of this file; it has one, tokens" for key in document]
    if not isinstance(entries, list):
        what = "has no key tokens" if entries is None else "is not a list of tokens"
        raise TokenError("\n".join([*issues, f"the file {what}"]))
    read = [_token(entry, f"token {at}", issues) for at, entry in enumerate(entries, start=1)]
    if issues:
        raise TokenError("\n".join(issues))
    tokens = tuple(filter(None, read))
    for key in ("name", "sha256"):
        seen: set[str] = set()
        for at, token in enumerate(tokens, start=1):
            if (value := getattr(token, key)) in seen:
                raise TokenError(f"token {at} has the same {key} as one before it")
            seen.add(value)
    return tokens


def write_tokens(path: Path, tokens: Sequence[Token]) -> None:
    """Replace the file at once: a reader sees the old content or the new, never a part.

    Raises:
        OSError: nothing has changed then.
    """
    target = Path(os.path.realpath(path))
    entries = {"tokens": [_entry(token) for token in tokens]}
    # mkstemp makes the file with mode 0600.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(HEADER + yaml.safe_dump(entries, sort_keys=False))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    with _opened_folder(target.parent) as folder:
        os.fsync(folder)


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Keep out every other writer of this file, in this process or another.

    The folder is locked, not the file: the file is another one after each write.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened_folder(path.parent) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check(name: str, flows: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise TokenError(
            "a token's name has up to 64 letters, digits, dots, dashes and underscores, "
            "and begins with a letter or a digit"
        )
    for pattern in flows:
        if not PATTERN.fullmatch(pattern):
            raise TokenError(f"{pattern!r} is not a flow key or a pattern such as order_*")


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse


def _flows(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(map(PATTERN.fullmatch, value)):
        raise ValueError
    return tuple(value)


_A_DATE = "is not a date such as 2026-12-31T00:00:00Z"

_KEYS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_matching(NAME.pattern), "is not a name such as crm or ci-2"),
    "sha256": (_matching("[0-9a-f]{64}"), "is not the 64 hex digits of a token's SHA-256"),
    "flows": (_flows, "is not a list of flow keys or patterns such as [order_*]"),
    "created": (parse_moment, _A_DATE),
    "expires": (parse_moment, _A_DATE),
}
"""Key of a token in the file → its parser, and what is said of a value that it cannot read."""


def _token(entry: Any, where: str, issues: list[str]) -> Token | None:
    """One token of the file, or what is wrong with it, added to ``issues``."""
    if not isinstance(entry, dict):
        issues.append(f"{where} is not a mapping")
        return None
    before, values = len(issues), {}
    for key, (parse, complaint) in _KEYS.items():
        if key in entry:
            try:
                values[key] = parse(entry[key])
            except (TypeError, ValueError, OverflowError):
                issues.append(f"{where}, {key} {complaint}")
        elif key in ("name", "sha256"):
            issues.append(f"{where}, {key} is missing")
    unknown = (key for key in entry if key not in _KEYS)
    issues += [f"{where}, {_shown(key)} is not a key of a token" for key in unknown]
    return Token(**values) if len(issues) == before else None


def _shown(key: Any) -> str:
    return key if re.fullmatch(r"[a-z0-9_]{1,20}", str(key)) else "some key"


def _parse(text: bytes) -> Any:
    if len(text) > MAX_BYTES:
        raise TokenError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        # BaseLoader makes text, lists and mappings only: a digest of digits alone stays text.
        # Not CBaseLoader: deep nesting ends the whole process there.
        return yaml.load(text.decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except UnicodeDecodeError:
        raise TokenError("the file is not UTF-8") from None
    except yaml.YAMLError as error:
        # Not str(error), which quotes the file.
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise TokenError(f"{where}this is not YAML; quote what has special characters") from None
    except RecursionError:
        raise TokenError("the file is nested too deep") from None


def _entry(token: Token) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": token.name, "sha256": token.sha256}
    if token.created is not None:
        entry["created"] = format_moment(token.created)
    if token.flows:
        entry["flows"] = list(token.flows)
    if token.expires is not None:
        entry["expires"] = format_moment(token.expires)
    return entry
