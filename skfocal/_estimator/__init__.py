"""What all focal classifiers share: labels, tables, posterior and label (floor 3)."""
