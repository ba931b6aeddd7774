"""Configuration of the documentation; `nox -s docs` builds it and runs its examples."""

from __future__ import annotations

from importlib.metadata import version as _version
from pathlib import Path as _Path

project = "wheel_linker"
author = "The wheel_linker contributors"
project_copyright = "2026, The wheel_linker contributors"
release = version = _version("wheel-linker")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Quotes and ellipses only: dashes would be made of the two hyphens of options.
smartquotes_action = "qe"

html_theme = "furo"
html_title = "wheel_linker"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

# References into this library must lead somewhere; those to Python's own documentation would take a download.
nitpick_ignore_regex = [("py:.*", r"(?!wheel_linker).*")]

# Each page begins in a directory of its own, with the wheels that readers make by the same script.
doctest_global_setup = f"""
import os, runpy, shutil, sys, tempfile, warnings

_home = os.getcwd()
_directory = tempfile.mkdtemp()
os.chdir(_directory)
# The pages explain the warning; whether it comes here depends on the machine.
warnings.simplefilter("ignore")
_ = runpy.run_path({str(_Path(__file__).parent / "examples" / "wheels.py")!r}, run_name="__main__")
"""
doctest_global_cleanup = """
os.chdir(_home)
shutil.rmtree(_directory)
sys.path[:] = [entry for entry in sys.path if not entry.startswith(_directory)]
for _name in ("hello", "world", "rival", "tool"):
    sys.modules.pop(_name, None)
"""
