"""Benches: what the parts of the project cost, measured on real servers."""
