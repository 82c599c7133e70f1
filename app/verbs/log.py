"""``log: text`` writes a line to the server's log, secrets masked."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields, post_load

from app.expression import Compiled
from app.language.blocks import StepSchema
from app.language.fields import Choice, JsonSchema, StrictSchema, Template, object_schema
from app.language.step import Path
from app.runtime.masking import one_line
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb
from app.strict_json import dumps

LEVELS = ("debug", "info", "warning", "error")
MAX_LINE = 4_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """``level`` is a number of the ``logging`` module; ``path`` is the place of the message."""

    message: Compiled
    level: int
    path: Path


class EntrySchema(StrictSchema):
    MISPLACED = {"text": "write `message` instead", "msg": "write `message` instead"}  # noqa: RUF012

    message = Template(required=True)
    level = Choice(LEVELS, load_default="info")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> LogEntry:
        level = logging.getLevelNamesMapping()[data["level"].upper()]
        return LogEntry(data["message"], level, ("log", "message"))


class EntryField(fields.Nested):
    """A text alone, or ``{message, level}``."""

    def json_schema(self) -> JsonSchema:
        return {
            "anyOf": [
                {"type": ["string", "number", "array", "boolean"]},
                object_schema(EntrySchema()),
            ]
        }

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, dict):
            return super()._deserialize(value, *args, **options)
        return LogEntry(Template().deserialize(value), logging.INFO, ("log",))


class LogSchema(StepSchema):
    entry = EntryField(EntrySchema, data_key="log", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Verb):
    entry: LogEntry

    verb: ClassVar[str] = "log"
    schema: ClassVar[type[StepSchema]] = LogSchema

    @property
    def summary(self) -> str:
        return self.entry.message.source

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(self.entry.path, self.entry.message)]

    def build(self, builder: Builder) -> Action:
        message, level = self.entry.message.evaluate, self.entry.level

        def log(run: Run) -> None:
            value = message(run.scope)
            write(run, level, run.mask(value if isinstance(value, str) else dumps(value)))

        return log


def write(run: Run, level: int, text: str) -> None:
    """Write one line, with the flow and the id of the run before it; secrets are masked already."""
    flow = run.scope.flow
    where = f"{flow['key']}/{flow['version']} {flow['instanceId']}"
    run.dependencies.log.log(level, "%s: %s", where, one_line(text, MAX_LINE))
