"""The errors that reach a caller: a stable code, a public message, a private detail. No HTTP here.

The codes 2000011005, 2000061001, 2000061003 and 1 and their Chinese words are those of Juggle's
open API; the other 20000610xx codes are ours, in the same scheme (``docs/open-api.md``).
Whatever a caller is told derives from :class:`SiteswapError`. Folders have errors of their own
(``TransportError``, ``DatabaseError``, ``StepError`` …), which are translated before they leave.
Any other exception is a bug: the entry point logs it once and withholds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

SEED_CODES = frozenset({1, 2000011005, 2000061001, 2000061003})
"""Their words are a part of Juggle's open API, in every language."""


class SiteswapError(Exception):
    """An expected failure. ``str(error)`` is the public message: it holds no secret."""

    code = 1
    words = "系统错误"
    words_en = "system error"
    reason = "failed"
    """The stable word for a run that ended so."""
    language: ClassVar[str] = "zh"
    """Of the words that are ours, in this process: ``zh`` or ``en``; ``create_app`` sets it."""

    def __init__(self, message: str = "", *, code: int | None = None) -> None:
        self.message = message
        if code is not None:
            self.code = code
        super().__init__(self.public)

    @property
    def public(self) -> str:
        """The sentence a caller reads: the code's fixed words, then what happened."""
        is_english = self.language == "en" and self.code not in SEED_CODES
        words = self.words_en if is_english else self.words
        return f"{words}: {self.message}" if self.message else words

    @property
    def english(self) -> str:
        """The sentence an operator reads."""
        return ": ".join(filter(None, [self.words_en, self.message]))


class TokenRejected(SiteswapError):
    """The token is missing, wrong, expired, or does not cover this flow."""

    code = 2000011005
    words = "令牌错误"
    words_en = "wrong token"


class FlowNotFound(SiteswapError):
    """There is no such flow, or no such version of it."""

    code = 2000061001
    words = "流程不存在"
    words_en = "no such flow"
    reason = "flow_gone"


class FlowDisabled(SiteswapError):
    """The version exists and says ``enabled: false``."""

    code = 2000061003
    words = "流程未启用，无法调用"
    words_en = "the flow is disabled"


@dataclass(frozen=True, slots=True)
class InputIssue:
    """One thing wrong with one input; ``name`` is empty when it is about the request as a whole."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.name else self.message


class InputsInvalid(SiteswapError):
    """Inputs are missing or of the wrong type, or the body cannot be read; all issues at once."""

    code = 2000061004
    words = "流程入参错误"
    words_en = "wrong inputs"

    def __init__(self, issues: Sequence[InputIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__("; ".join(map(str, self.issues)))


class RunNotFound(SiteswapError):
    """No run has this id (or it is malformed)."""

    code = 2000061005
    words = "流程实例不存在"
    words_en = "no such run, or it is not kept any more"


class Busy(SiteswapError):
    """The work cannot be taken now; the same request may succeed after ``retry_after`` seconds."""

    code = 2000061006
    words = "系统繁忙"
    words_en = "busy"
    retry_after = 1


class FlowTimeout(SiteswapError):
    """The flow passed its deadline."""

    code = 2000061007
    words = "流程执行超时"
    words_en = "the flow took too long"
    reason = "timeout"


class RunInterrupted(SiteswapError):
    """Its process died in the middle of a step that may not be run twice."""

    code = 2000061008
    words = "流程执行中断"
    words_en = "the run was interrupted"
    reason = "interrupted"


class RunCrashed(SiteswapError):
    """It was being executed each time its process died, and is not tried again."""

    code = 2000061009
    words = "流程执行崩溃"
    words_en = "the run crashed"
    reason = "crashed"


class RunCancelled(SiteswapError):
    """A person or a program cancelled it."""

    code = 2000061010
    words = "流程已取消"
    words_en = "the run was cancelled"
    reason = "cancelled"


class FlowFailed(SiteswapError):
    """A step failed and nothing handled it, or the flow said ``fail``.

    A ``fail`` step may choose its own code; its message is then shown without fixed words.
    """

    @property
    def public(self) -> str:
        return super().public if self.code == SiteswapError.code else self.message


class SettingsError(SiteswapError):
    """A setting is wrong; the message names it and says what to write instead."""

    words = "Configuration error"
    words_en = ""


def install(extra: str) -> str:
    """What to write for the libraries of an extra. Siteswap itself is on no package index."""
    return f"write .venv/bin/pip install -e '.[{extra}]', or make run EXTRAS={extra}"


def in_english(code: int, text: str) -> str:
    """A public message that was kept in any language."""
    kinds: list[type[SiteswapError]] = [SiteswapError, *SiteswapError.__subclasses__()]
    for kind in kinds:
        if kind.code == code and text.startswith(kind.words):
            return kind.words_en + text.removeprefix(kind.words)
    return text
