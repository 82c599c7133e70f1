"""The settings of the shipped ``gunicorn.conf.py`` for an application that is not Siteswap.

The same but for the hooks, which start and stop Siteswap.
"""

from pathlib import Path
from runpy import run_path

_HOOKS = ("on_starting", "when_ready", "post_worker_init", "worker_exit")
_SHIPPED = run_path(str(Path(__file__).resolve().parents[2] / "gunicorn.conf.py"))

globals().update(
    {name: value for name, value in _SHIPPED.items() if name not in _HOOKS and name[0] != "_"}
)
