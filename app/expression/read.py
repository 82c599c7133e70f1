"""What an expression reads, known before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from app.expression.problem import TemplatePath


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a root: ``steps.login.body[0].id`` has the path ``("steps", "login", "body")``.

    The path ends before the first index; ``offset`` and ``length`` cover what it stands for, in
    the scalar at ``where``. ``safe`` reads stand in the first argument of ``default``.
    """

    path: tuple[str, ...]
    offset: int
    length: int
    where: TemplatePath
    safe: bool

    def spelled(self, *path: str) -> str:
        """How the author of this read would write another one."""
        return ".".join(path)

    @property
    def fallback(self) -> str:
        """What to write instead where the name may not be defined."""
        return f"write `default({self.spelled(*self.path)}, null)`, or another value than null"
