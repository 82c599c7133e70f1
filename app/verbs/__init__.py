"""Every verb of the language: a new one is one file here and one line in ``VERBS``."""

from __future__ import annotations

from collections.abc import Mapping

from app.language.step import Step
from app.runtime.verb import Verb
from app.verbs.call import Call
from app.verbs.check import Check
from app.verbs.fail import Fail
from app.verbs.for_each import ForEach
from app.verbs.http import Http
from app.verbs.if_ import If
from app.verbs.log import Log
from app.verbs.parallel import Parallel
from app.verbs.python import Python
from app.verbs.repeat import Repeat
from app.verbs.return_ import Return
from app.verbs.set_ import Set
from app.verbs.sql import Sql
from app.verbs.switch import Switch
from app.verbs.transaction import Transaction
from app.verbs.try_ import Try
from app.verbs.wait import Wait

VERBS: Mapping[str, type[Verb]] = {
    "http": Http,
    "set": Set,
    "if": If,
    "switch": Switch,
    "for_each": ForEach,
    "repeat": Repeat,
    "parallel": Parallel,
    "call": Call,
    "try": Try,
    "wait": Wait,
    "return": Return,
    "fail": Fail,
    "log": Log,
    "sql": Sql,
    "transaction": Transaction,
    "check": Check,
    "python": Python,
}

Step.verbs.update(VERBS)
