"""Sphinx configuration."""

import sys
from pathlib import Path

from skfocal import __version__

# gallery.py is beside this file
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "skfocal"
author = "The skfocal developers"
project_copyright = "2026, The skfocal developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas need no other host
]
exclude_patterns = [
    "_build",
    "auto_examples/*.ipynb",
    "auto_examples/*.py*",
    "sg_execution_times.rst",
]
templates_path = ["_templates"]
autosummary_generate = True
autodoc_inherit_docstrings = False
autodoc_typehints = "none"  # types are in the docstrings
default_role = "py:obj"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
# docstrings inherited from scikit-learn refer to pages of its own documentation
suppress_warnings = ["ref.ref"]

html_theme = "pydata_sphinx_theme"
html_title = "skfocal"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_css_files = ["skfocal.css"]
html_show_sourcelink = False
# pages without pages below them
SINGLE_PAGES = (
    "install",
    "getting_started",
    "migrating",
    "faq",
    "evidence",
    "report",
    "tuned",
    "mathematics",
    "posterior_link",
    "development",
    "changelog",
    "citing",
)
html_sidebars = {page: [] for page in SINGLE_PAGES}
html_theme_options = {
    "logo": {
        "image_light": "_static/favicon.svg",
        "image_dark": "_static/favicon.svg",
        "text": f"skfocal {version}",
    },
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "gallery.place",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # a page that takes scripts from other hosts
    "abort_on_example_error": True,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skfocal",),
    "reset_modules": ("matplotlib",),
}
