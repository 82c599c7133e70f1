"""From the YAML parser's complaint to a problem an author understands."""

from __future__ import annotations

from collections.abc import Callable

from app.yaml.lines import Trouble
from app.yaml.mistakes.brackets import broken_flow, glued_in_flow, no_content, unquoted_in_flow
from app.yaml.mistakes.known import (
    bad_escape,
    bad_first_character,
    directive,
    leading_tag,
    long_key,
    stray_colon,
    text_after_value,
    unclosed_quote,
)
from app.yaml.mistakes.layout import (
    line_without_colon,
    misplaced_line,
    stray_character,
    stray_dash,
    tab,
    value_above,
)
from app.yaml.source import TextIssue

Handler = Callable[[Trouble], TextIssue | None]

_HANDLERS: tuple[tuple[str, tuple[Handler, ...]], ...] = (
    ("whitespace or line break", (leading_tag,)),
    ("URI", (leading_tag,)),
    ("expected ' '", (leading_tag,)),
    ("expected '!'", (leading_tag,)),
    ("'>'", (leading_tag,)),
    ("tag", (leading_tag,)),
    ("tab character", (tab,)),
    ("cannot start any token", (tab, bad_first_character)),
    ("mapping values are not allowed", (value_above, stray_colon, long_key)),
    ("sequence entries are not allowed", (stray_dash,)),
    ("mapping keys are not allowed", (bad_first_character,)),
    ("unexpected end of stream", (unclosed_quote,)),
    ("unexpected document", (unclosed_quote,)),
    ("alphabetical", (directive,)),
    ("directive", (directive,)),
    ("escape", (bad_escape,)),
    ("hexdecimal", (bad_escape,)),
    ("hexadecimal", (bad_escape,)),
    ("unexpected ':'", (glued_in_flow,)),
    ("could not find expected ':'", (line_without_colon,)),
    ("expected alphabetic", (directive, bad_first_character)),
    ("comment or", (bad_first_character,)),
    ("chomping", (bad_first_character,)),
    ("indentation indicator", (bad_first_character,)),
    ("',' or ", (unquoted_in_flow, broken_flow)),
    ("node content", (no_content,)),
    ("expected key", (stray_character, text_after_value, misplaced_line)),
    ("<block end>", (stray_character, text_after_value, misplaced_line)),
    ("'-' indicator", (stray_character, text_after_value, misplaced_line)),
)
"""Words of libyaml's message, or of the pure Python parser's, and who may know the cause."""


def explain(trouble: Trouble) -> TextIssue:
    """The problem, with what to write instead if a known trap is the cause."""
    for words, handlers in _HANDLERS:
        if words in trouble.words:
            for handler in handlers:
                if problem := handler(trouble):
                    return problem
    return TextIssue(trouble.at, trouble.at + 1, "yaml-syntax", f"not YAML: {trouble.words}")
