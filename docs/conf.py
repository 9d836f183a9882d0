"""How Sphinx builds the documentation: ``make docs``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "tools")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import inventories  # noqa: E402
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
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "README.md"]


def links_to_edit() -> dict[str, str]:
    """Return the theme's options for links to edit a page, if it is known where the source is.

    That is the address in NENGO_PHASOR_REPOSITORY, or that of the clone's ``origin``.
    """
    address = os.environ.get("NENGO_PHASOR_REPOSITORY", "")
    if not address and shutil.which("git"):
        asked = ["git", "-C", FOLDER, "remote", "get-url", "origin"]
        address = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not address.startswith("https://"):
        return {}
    address = address.removesuffix(".git")
    return {
        f"source_{what}_link": f"{address}/{place}/main/docs/{{filename}}"
        for what, place in (("edit", "edit"), ("view", "blob"))
    }


html_theme = "furo"
html_show_copyright = False
html_title = f"nengo_phasor {version}"
html_static_path = ["_static"]
html_css_files = ["gallery.css"]
html_theme_options = links_to_edit()

intersphinx_mapping = inventories.write(FOLDER / "generated" / "inventories")

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

# Names that have no page: of projects without an inventory; of constants; and of modules that are
# inside. Those of Nengo and its backends are in `inventories`.
OTHERS = r"(nengo\.networks|nengo_spa|tf|np|numpy|matplotlib|keras|pkg_resources)\b.*"
CONSTANTS = r"(\w+\.)?[A-Z][A-Z_]+"
INSIDE = r"State|compartments|drawings"
nitpick_ignore_regex = [(r"py:.*", names) for names in (OTHERS, CONSTANTS, INSIDE)]


def setup(app):
    """Write the pages that are made from the library and from results, before they are read."""
    pages.write(FOLDER / "generated")
    app.connect("html-page-context", without_link_to_edit)


def without_link_to_edit(app, pagename, templatename, context, doctree):
    """Leave out the link to edit on pages that are made here: they have no file in the source."""
    if pagename.startswith("generated/"):
        context["page_source_suffix"] = ""
