"""Sphinx configuration."""

from skfocal import __version__

project = "skfocal"
author = "The skfocal developers"
project_copyright = "2026, The skfocal developers"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser"]
exclude_patterns = ["_build"]
autosummary_generate = True
numpydoc_show_class_members = False
html_theme = "alabaster"
myst_heading_anchors = 2
myst_enable_extensions = ["dollarmath"]
# docstrings inherited from scikit-learn refer to pages of its own documentation
suppress_warnings = ["ref.ref"]
