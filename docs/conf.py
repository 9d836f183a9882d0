"""Sphinx's configuration, for ``make docs``."""

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
    """Return the theme's options for links to edit a page, if the repository's address is known.

    The address is in NENGO_PHASOR_REPOSITORY; by default it is that of the clone's ``origin``.
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
nb_execution_mode = "off"  # pages show the stored outputs; the tests execute the notebooks

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_typehints = "none"  # docstrings name the types, with shapes and units
autodoc_member_order = "bysource"
autosummary_generate = False  # `pages` writes these files
default_role = "py:obj"
numpydoc_show_class_members = False

# Names without a page: those of projects without an inventory, constants, and internal modules.
# Names of Nengo and its backends are in `inventories`.
OTHERS = r"(nengo\.networks|nengo_spa|tf|np|numpy|matplotlib|keras|pkg_resources)\b.*"
CONSTANTS = r"(\w+\.)?[A-Z][A-Z_]+"
INSIDE = r"State|compartments|drawings"
nitpick_ignore_regex = [(r"py:.*", names) for names in (OTHERS, CONSTANTS, INSIDE)]


def setup(app):
    """Write the pages generated from the library and from results, before Sphinx reads them."""
    pages.write(FOLDER / "generated")
    app.connect("html-page-context", without_link_to_edit)


def without_link_to_edit(app, pagename, templatename, context, doctree):
    """Remove the link to edit from generated pages, which have no file in the repository."""
    if pagename.startswith("generated/"):
        context["page_source_suffix"] = ""
