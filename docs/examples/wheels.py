"""Make what the tutorials and guides use: unpacked wheels in `cache`, and wheel files in `wheels`, where it is run."""

from __future__ import annotations

from pathlib import Path

from wheel_linker import pack_wheel, write_record

ABOUT = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
WHEELS: dict[tuple[str, str], dict[str, str]] = {
    ("hello", "1.0"): {"hello/__init__.py": "GREETING = 'hello'\n"},
    ("hello", "2.0"): {"hello/__init__.py": "GREETING = 'good morning'\n"},
    ("world", "1.0"): {"world.py": "NAME = 'world'\n"},
    ("rival", "1.0"): {"hello/__init__.py": "GREETING = 'go away'\n"},
    ("tool", "1.0"): {
        "tool.py": "def main(): print('working')\n",
        "tool-1.0.data/scripts/tool": "#!python\nimport tool\ntool.main()\n",
    },
}


def main() -> None:
    """Write them below the current directory."""
    for (name, version), files in WHEELS.items():
        info = f"{name}-{version}.dist-info"
        about = {f"{info}/METADATA": ABOUT.format(name, version), f"{info}/WHEEL": WHEEL}
        unpacked = Path("cache", f"{name}-{version}")
        for path, text in {**files, **about}.items():
            (unpacked / path).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / path).write_text(text, encoding="utf-8", newline="\n")
        write_record(unpacked)
        pack_wheel(unpacked, "wheels")


if __name__ == "__main__":
    main()
