"""The application for any ASGI server, configured by ``ENTREPOT_*`` and ``entrepot.toml`` alone.

granian --interface asgi entrepot.standalone:app
"""

from __future__ import annotations

import os

from entrepot.app import application
from entrepot.config import load
from entrepot.observe import configure_log, tell_passed_by

_loaded = load({}, os.environ)
configure_log(_loaded.config)
tell_passed_by(_loaded.passed_by)

app = application(_loaded.config)
