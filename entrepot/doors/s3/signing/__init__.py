"""Who sends a request: credentials, canonical requests, signatures."""
