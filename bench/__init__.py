"""Measures Entrepôt side by side with other S3 servers, on this machine, with the same requests.

``python -m bench`` starts one server at a time on a free loopback port with a fresh data directory, runs every
measure against it, stops it, and goes on to the next; several rounds are interleaved and the medians reported.
A further door adds a module to ``bench.measures`` and a line to its table.
"""
