"""Bodies as S3 clients frame and sum them up."""
