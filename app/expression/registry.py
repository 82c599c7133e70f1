"""The functions of the language, by name."""

from __future__ import annotations

from collections.abc import Mapping

from app.expression.function import Function
from app.expression.functions.collections import COLLECTION_FUNCTIONS
from app.expression.functions.conversions import CONVERSION_FUNCTIONS
from app.expression.functions.dates import DATE_FUNCTIONS
from app.expression.functions.encodings import ENCODING_FUNCTIONS
from app.expression.functions.numbers import NUMBER_FUNCTIONS
from app.expression.functions.text import TEXT_FUNCTIONS

FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for family in (
        COLLECTION_FUNCTIONS,
        CONVERSION_FUNCTIONS,
        NUMBER_FUNCTIONS,
        TEXT_FUNCTIONS,
        DATE_FUNCTIONS,
        ENCODING_FUNCTIONS,
    )
    for function in family
}
ARITIES: Mapping[str, tuple[int, int | None]] = {
    function.name: function.arity() for function in FUNCTIONS.values()
}
"""The least and largest number of arguments of each function."""
