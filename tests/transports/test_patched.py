"""The same behaviour where gevent has patched the standard library, as in a gunicorn worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = """
import ssl  # gunicorn, too, has imported it before its worker patches
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
SUITES = (
    "test_network.py",
    "test_dial.py",
    "test_misbehaviour.py",
    "test_keep_alive.py",
    "test_tls.py",
)


def test_the_network_suites_pass_under_gevent() -> None:
    """Servers and transport share one thread there: whoever blocked it would stop all."""
    suites = [str(HERE / name) for name in SUITES]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "-q", *suites],
        cwd=HERE.parent.parent,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
