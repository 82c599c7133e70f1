"""The application under test: as it is shipped, with trouble around its store."""

from __future__ import annotations

import os
from pathlib import Path

from app import create_app
from app.runs.store import Store
from tests.chaos.points import ERRORS, FOLDER
from tests.chaos.troubled import TroubledStore


def _troubled(store: Store) -> Store:
    folder, errors = Path(os.environ[FOLDER]), float(os.environ.get(ERRORS) or 0)
    return TroubledStore(store, folder, errors)  # type: ignore[return-value]


app = create_app(wrap_store=_troubled)
celery = app.extensions.get("celery")
