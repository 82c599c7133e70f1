"""Prints each name in the package that still is the blocking original after gevent has patched.

Run as a program, in the order in which gunicorn's master and worker do it: the package first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gevent import monkey

import app.wiring  # noqa: F401  (imports the whole package)


def left_behind() -> Iterator[str]:
    """``module.name`` of every original that a module of the package took before the patching."""
    originals = [
        original
        for names in monkey.saved.values()
        for original in names.values()
        if callable(original)
    ]
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] == "app":
            for attribute, value in vars(module).items():
                if any(value is original for original in originals):
                    yield f"{name}.{attribute}"


if __name__ == "__main__":
    monkey.patch_all()
    print(*left_behind(), sep="\n", end="")
