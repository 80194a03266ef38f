"""The S3 protocol: signatures, operations and their XML, over the core."""
