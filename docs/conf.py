"""Configuration of the documentation; `nox -s docs` builds it and runs its examples."""

from __future__ import annotations

from importlib.metadata import version as _version

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

# Each page begins in a directory of its own, with a few unpacked wheels in `cache`.
doctest_global_setup = """
import os, shutil, sys, tempfile, warnings

_home = os.getcwd()
_directory = tempfile.mkdtemp()
os.chdir(_directory)
# The pages explain the warning; whether it comes here depends on the machine.
warnings.simplefilter("ignore")

def _unpacked(name, version, files, cache="cache"):
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    rows = "".join(f"{path},,\\n" for path in (*files, f"{info}/RECORD"))
    for path, text in {**files, f"{info}/RECORD": rows}.items():
        full = os.path.join(cache, f"{name}-{version}", path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)

_unpacked("hello", "1.0", {"hello/__init__.py": "GREETING = 'hello'\\n"})
_unpacked("hello", "2.0", {"hello/__init__.py": "GREETING = 'good morning'\\n"})
_unpacked("world", "1.0", {"world.py": "NAME = 'world'\\n"})
_unpacked("rival", "1.0", {"hello/__init__.py": "GREETING = 'go away'\\n"})
_unpacked("tool", "1.0", {
    "tool.py": "def main(): print('working')\\n",
    "tool-1.0.data/scripts/tool": "#!python\\nimport tool\\ntool.main()\\n",
})
"""
doctest_global_cleanup = """
os.chdir(_home)
shutil.rmtree(_directory)
sys.path[:] = [entry for entry in sys.path if not entry.startswith(_directory)]
for _name in ("hello", "world", "rival", "tool"):
    sys.modules.pop(_name, None)
"""
