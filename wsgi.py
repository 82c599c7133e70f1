"""What a WSGI server and the ``flask`` command look for."""

import sys

from app import create_app
from app.errors import SettingsError

try:
    app = create_app()
except SettingsError as error:
    print(error, file=sys.stderr)
    # What gunicorn's master takes for a worker that can never start, and does not start again.
    sys.exit(3)

# For `celery -A wsgi.celery worker`; nothing where the executor is another.
celery = app.extensions.get("celery")
