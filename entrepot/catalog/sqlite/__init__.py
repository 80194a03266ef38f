"""SQLite as the catalog."""
