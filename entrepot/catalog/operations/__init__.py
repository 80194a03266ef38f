"""What is asked of a catalog, as generators of statements: one text for every engine."""
