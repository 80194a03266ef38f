"""Object storage that keeps bytes once and names them many times."""

__version__ = "0.1.0"
