"""Have rattler-build read the recipe beside this file, and say what it makes of it; `nox -s recipe` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import rattler_build


def main() -> None:
    """Print the package and what it needs; end with an error if the recipe is not one."""
    recipe = rattler_build.Stage0Recipe.from_file(Path(__file__).with_name("recipe.yaml"))
    variants = recipe.render(rattler_build.VariantConfig())
    if len(variants) != 1:
        sys.exit(f"the recipe is of one package, and makes {len(variants)}")
    made = variants[0].recipe.to_dict()
    print(f"rattler-build {rattler_build.rattler_build_version()}")
    print("{name} {version}".format(**made["package"]), made["build"]["string"])
    for kind, needed in made["requirements"].items():
        print(f"{kind}: {', '.join(needed)}")


if __name__ == "__main__":
    main()
