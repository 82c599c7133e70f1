"""The YAML loader: strict, bounded, and every value knows its line and column.

The scalars are those of YAML 1.2 that JSON has too (:mod:`app.spec.yaml_scalars`). Anchors and
aliases may be used; tags, merge keys, keys that are not text, and keys that stand twice may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from app.spec.diagnostics import Finding, Path, Severity
from app.spec.source import Problem, ProblemError, Source
from app.spec.yaml_builder import Builder, Node
from app.spec.yaml_lines import Trouble
from app.spec.yaml_syntax import explain

MAX_BYTES = 256 * 1024
"""Size of a file that is accepted."""

MAX_FINDINGS = 100
"""Findings in one file that are reported."""

MAX_REPAIRS = 20
"""Mistakes in one file behind which reading is continued."""
