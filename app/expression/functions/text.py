"""Functions on text."""

from __future__ import annotations

from typing import Any

from app.expression.function import Function, list_argument, text_argument
from app.expression.limits import MAX_ITEMS
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import check_list_size, check_text_size, pay_for_digits, written


def lower(evaluation: Evaluation, text: Any) -> str:
    """Small letters; some letters grow to three, so the result is measured too."""
    return _recased(evaluation, text_argument(evaluation, "lower", text), str.lower)


def upper(evaluation: Evaluation, text: Any) -> str:
    """Capital letters."""
    return _recased(evaluation, text_argument(evaluation, "upper", text), str.upper)


def _recased(evaluation: Evaluation, text: str, change: Any) -> str:
    if not text.isascii():
        evaluation.spend(len(text) // 2)
    result: str = change(text)
    check_text_size(len(result))
    return result


def trim(evaluation: Evaluation, text: Any) -> str:
    """Without white space at both ends."""
    return text_argument(evaluation, "trim", text).strip()


def split(evaluation: Evaluation, text: Any, separator: Any = None) -> list[str]:
    """The parts between separators, or between white space."""
    whole = text_argument(evaluation, "split", text)
    if separator is not None and not text_argument(evaluation, "split", separator):
        raise Fault("split needs a separator that is not empty")
    pieces = whole.split(separator, MAX_ITEMS)
    check_list_size(len(pieces))
    evaluation.spend(len(pieces))
    return pieces


def join(evaluation: Evaluation, items: Any, separator: Any = "") -> str:
    """The items written as text, with the separator between them."""
    between = text_argument(evaluation, "join", separator)
    found = list_argument(evaluation, "join", items)
    size = len(between) * max(len(found) - 1, 0)
    texts = []
    for item in found:
        evaluation.spend(3)
        pay_for_digits(evaluation, item)
        texts.append(written(item))
        size += len(texts[-1])
        check_text_size(size)
    evaluation.spend_text(size)
    return between.join(texts)


def replace(evaluation: Evaluation, text: Any, old: Any, new: Any) -> str:
    """Every ``old`` becomes ``new``."""
    whole = text_argument(evaluation, "replace", text)
    before = text_argument(evaluation, "replace", old)
    after = text_argument(evaluation, "replace", new)
    if not before:
        raise Fault("replace needs a text to look for that is not empty")
    count = whole.count(before)
    check_text_size(len(whole) + count * (len(after) - len(before)))
    evaluation.spend(count)
    return whole.replace(before, after)


def startswith(evaluation: Evaluation, text: Any, start: Any) -> bool:
    """Whether the text begins so."""
    whole = text_argument(evaluation, "startswith", text)
    return whole.startswith(text_argument(evaluation, "startswith", start))


def endswith(evaluation: Evaluation, text: Any, end: Any) -> bool:
    """Whether the text ends so."""
    whole = text_argument(evaluation, "endswith", text)
    return whole.endswith(text_argument(evaluation, "endswith", end))


TEXT_FUNCTIONS = (
    Function("lower", lower, "lower(text)", "Small letters.", 'lower("ABc")', "abc"),
    Function("upper", upper, "upper(text)", "Capital letters.", 'upper("abC")', "ABC"),
    Function(
        "trim", trim, "trim(text)", "Without white space at both ends.", 'trim("  a b ")', "a b"
    ),
    Function(
        "split",
        split,
        "split(text, separator)",
        "The parts of a text; without a separator, the words.",
        'split("a,b,c", ",")',
        ["a", "b", "c"],
    ),
    Function(
        "join",
        join,
        "join(list, separator)",
        "The items as one text; without a separator, end to end.",
        'join(["a", 1, true], "-")',
        "a-1-true",
    ),
    Function(
        "replace",
        replace,
        "replace(text, old, new)",
        "Every `old` becomes `new`.",
        'replace("1-2-3", "-", "/")',
        "1/2/3",
    ),
    Function(
        "startswith",
        startswith,
        "startswith(text, start)",
        "Whether the text begins so.",
        'startswith("order-17", "order-")',
        True,
    ),
    Function(
        "endswith",
        endswith,
        "endswith(text, end)",
        "Whether the text ends so.",
        'endswith("photo.png", ".png")',
        True,
    ),
)
