"""The functions of the language, by name. A new one is a Python function and a line here."""

from collections.abc import Mapping

from app.expression.functions import collections, dates, numbers, reading, text
from app.expression.functions.function import Function

FUNCTIONS: Mapping[str, Function] = {
    member.name: member
    for family in (reading, collections, numbers, text, dates)
    for member in vars(family).values()
    if isinstance(member, Function)
}
