"""Settings: one frozen tree, read once where the program starts and handed down from there."""

from entrepot.config.layers import Loaded, Sourced, load, variable
from entrepot.config.listeners import Listener
from entrepot.config.settings import Config, Limits, Log, Metrics
from entrepot.config.tree import parse_settings, unknown

__all__ = [
    "Config",
    "Limits",
    "Listener",
    "Loaded",
    "Log",
    "Metrics",
    "Sourced",
    "load",
    "parse_settings",
    "unknown",
    "variable",
]
