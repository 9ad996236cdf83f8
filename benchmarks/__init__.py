"""Benchmarks: scripts that produce every number in the documentation."""
