"""Certificates of one test: an authority of its own, and what it signs. Made by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


class Authority:
    """Signs certificates; ``path`` is its own. All files lie in one folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            assert "CI" not in os.environ, "openssl is not installed"
            pytest.skip("install openssl to run this test")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.path = self._made("ca", "-subj", "/CN=an authority of the tests")

    def sign(self, name: str) -> Path:
        """A certificate for 127.0.0.1; its key is the file beside it that ends in ``.key``."""
        return self._made(
            name,
            *("-CA", str(self.path), "-CAkey", str(self.path.with_suffix(".key"))),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", "basicConstraints=CA:FALSE"),
        )

    def _made(self, name: str, *options: str) -> Path:
        path = self.folder / f"{name}.pem"
        made = ("-keyout", str(path.with_suffix(".key")), "-out", str(path))
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        command = ["openssl", "req", "-x509", *kind, *options, *made]
        subprocess.run(command, check=True, capture_output=True)
        return path
