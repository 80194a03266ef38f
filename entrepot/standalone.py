"""The application for any ASGI server, configured by ``ENTREPOT_*`` and ``entrepot.toml`` alone.

granian --interface asgi entrepot.standalone:app
"""

from __future__ import annotations

import os

from entrepot.app import application
from entrepot.config import load
from entrepot.observe import configure_log

_config = load({}, os.environ).config
configure_log(_config)

app = application(_config)
