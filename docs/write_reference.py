"""Write the reference table of each role's README.md from its argument specification, and that of docs/settings.md.

`make docs` writes; `--check` only tells whether a table is out of date. The table stands between the two marker lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- reference: written by `make docs` from meta/argument_specs.yml -->"
END = "<!-- end of reference -->"


def text(value: Any) -> str:
    """Return a description as one line of Markdown."""
    joined = " ".join(value) if isinstance(value, list) else str(value)
    return re.sub(r"\b[OVC]\(([^)]*(?:\([^)]*\)[^)]*)*)\)", r"`\1`", joined).replace("|", "\\|")


def row(name: str, option: dict[str, Any]) -> str:
    """Return one input's row."""
    kind = f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
    choices = f" ({', '.join(str(choice) for choice in option['choices'])})" if "choices" in option else ""
    default = option.get("default", "")
    shown = "none" if default in ("", None) else str(default).lower() if isinstance(default, bool) else str(default)
    return f"| `{name}` | {kind}{choices} | {shown} | {text(option['description'])} |"


def table(spec: Path) -> str:
    """Return the reference table of a role."""
    options = yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"]["inputs"]["options"]
    rows = [row(name, option) for name, option in options.items()]
    return "\n".join([BEGIN, "", "| Input | Type | Default | What it does |", "|---|---|---|---|", *rows, "", END])


def main(check: bool) -> int:
    """Write or check every README; return the exit status."""
    stale = []
    pages = {spec: spec.parents[1] / "README.md" for spec in sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))}
    pages[ROOT / "meta/argument_specs.yml"] = ROOT / "docs/settings.md"
    for spec, readme in pages.items():
        old = readme.read_text(encoding="utf-8")
        if BEGIN not in old or END not in old:
            print(f"{readme.relative_to(ROOT)} lacks the line {BEGIN} or {END}", file=sys.stderr)
            return 1
        before, rest = old.split(BEGIN, 1)
        new = before + table(spec) + rest.split(END, 1)[1]
        if new != old:
            stale.append(str(readme.relative_to(ROOT)))
            if not check:
                readme.write_text(new, encoding="utf-8")
    if stale:
        print(f"{'out of date, run `make docs`' if check else 'written'}: {', '.join(stale)}")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
