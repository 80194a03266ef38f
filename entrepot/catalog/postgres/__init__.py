"""PostgreSQL as the catalog."""
