"""How Sphinx builds the documentation: ``make docs``."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "tools")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pages  # noqa: E402

import nengo_phasor  # noqa: E402

project = "nengo_phasor"
author = "The nengo_phasor developers"
version = release = nengo_phasor.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "README.md"]
html_theme = "furo"
html_show_copyright = False
html_title = f"nengo_phasor {version}"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # what they are kept with is shown; the tests execute them

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_typehints = "none"  # the docstrings have types, with shapes and units
autodoc_member_order = "bysource"
autosummary_generate = False  # `pages` writes what it would
default_role = "py:obj"
numpydoc_show_class_members = False

# Names that have no page here: of others' documentation, which a build without the internet can't
# ask; of constants; and of modules that are inside.
OTHERS = (
    r"(nengo|nengo_dl|nengo_loihi|nengo_spa|tf|np|numpy|matplotlib|sys|keras|pkg_resources)\b.*"
)
CONSTANTS = r"(\w+\.)?[A-Z][A-Z_]+"
INSIDE = r"State|compartments|drawings"
nitpick_ignore_regex = [(r"py:.*", names) for names in (OTHERS, CONSTANTS, INSIDE)]


def setup(app):
    """Write the pages that are made from the library and from results, before they are read."""
    pages.write(FOLDER / "generated")
