"""The gallery: each example runs from the root as ``python -m examples.NAME``."""
