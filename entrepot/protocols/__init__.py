"""Protocols that more than one door speaks: grammar and rules of state as pure functions over plain values. What is
read and written, who may do it and where it stands in a URL is a door's.
"""
