"""Certificates of one test: an authority of its own, and what it signs. Made by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


class Authority:
    """Signs certificates; ``path`` is its own. All files lie in one folder.

    ``extensions``, if given, are the only ones of its own certificate, as ``openssl.cnf`` has them.
    """

    def __init__(self, folder: Path, extensions: Sequence[str] = ()) -> None:
        if shutil.which("openssl") is None:
            assert "CI" not in os.environ, "openssl is not installed"
            pytest.skip("install openssl to run this test")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        own = ("-config", str(self._configuration(extensions))) if extensions else ()
        self.path = self._made("ca", "-subj", "/CN=an authority of the tests", *own)

    def sign(self, name: str, constraints: str = "CA:FALSE", by: Path | None = None) -> Path:
        """A certificate for 127.0.0.1; its key is the file beside it that ends in ``.key``."""
        issuer = by or self.path
        return self._made(
            name,
            *("-CA", str(issuer), "-CAkey", str(issuer.with_suffix(".key"))),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", f"basicConstraints={constraints}"),
        )

    def _configuration(self, extensions: Sequence[str]) -> Path:
        path = self.folder / "openssl.cnf"
        head = "[req]\ndistinguished_name = name\nx509_extensions = own\n[name]\n[own]\n"
        path.write_text(head + "".join(f"{each}\n" for each in extensions))
        return path

    def _made(self, name: str, *options: str) -> Path:
        path = self.folder / f"{name}.pem"
        made = ("-keyout", str(path.with_suffix(".key")), "-out", str(path))
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        command = ["openssl", "req", "-x509", *kind, *options, *made]
        subprocess.run(command, check=True, capture_output=True)
        return path
