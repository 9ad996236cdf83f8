"""The tests mirror the package: a folder has the name of what it tests."""
