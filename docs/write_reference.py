"""Write the reference table of each role's README.md from its argument specification, those of docs/, and a picture.

`make docs` writes; `--check` only tells what is out of date. A table stands between its two marker lines. The picture,
docs/plan.svg, is drawn from docs/plan.txt, which a run of plan.yml printed.
"""

from __future__ import annotations

import io
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- reference: written by `make docs` from {} -->"
ELSEWHERE = "plugins/plugin_utils/engine/elsewhere.py"
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


def table(source: str, head: list[str], rows: list[str]) -> str:
    """Return a table between its markers."""
    columns = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([BEGIN.format(source), "", *columns, *rows, "", END])


def inputs(spec: Path) -> str:
    """Return the reference table of a role."""
    options = yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"]["inputs"]["options"]
    rows = [row(name, option) for name, option in options.items()]
    return table("meta/argument_specs.yml", ["Input", "Type", "Default", "What it does"], rows)


def elsewhere() -> str:
    """Return the table of other roles' variables."""
    rows = []
    for name, foreign in sorted(runpy.run_path(str(ROOT / ELSEWHERE))["FOREIGN"].items()):
        # An input with its value, if it has one.
        words = rf"\b(?:{foreign.role}|slipway)_\w+(?:: (?:{{.*}}|\[.*\]|\w+))?"
        ours = re.sub(words, r"`\g<0>`", foreign.remedy.removeprefix("Use "))
        rows.append(f"| `{name}` | {foreign.whose} | {ours} |")
    return table(ELSEWHERE, ["Variable", "Whose", "Here"], rows)


def picture() -> str:
    """Return the recorded plan as a terminal shows it; the fonts are the reader's own, so nothing is fetched."""
    lines = (ROOT / "docs/plan.txt").read_text(encoding="utf-8").splitlines()
    screen = Console(record=True, width=max(map(len, lines)), file=io.StringIO(), force_terminal=True)
    for line in lines:
        shown = Text(line)
        shown.highlight_regex(r"^\$.*", "bold")
        shown.highlight_regex(r"\bREFUSED\b", "bold red")
        shown.highlight_regex(r"(?<= -> ).*", "green")
        shown.highlight_regex(r"^\d+ would change.*", "bold yellow")
        screen.print(shown, soft_wrap=True)
    drawn = screen.export_svg(title="plan.yml", theme=MONOKAI, unique_id="plan")
    drawn = re.sub(r" *@font-face {.*?}\n", "", drawn, flags=re.DOTALL)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def main(check: bool) -> int:
    """Write or check every page; return the exit status."""
    stale = []
    specs = sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))
    pages = {spec.parents[1] / "README.md": inputs(spec) for spec in specs}
    pages[ROOT / "docs/settings.md"] = inputs(ROOT / "meta/argument_specs.yml")
    pages[ROOT / "docs/coming_from.md"] = elsewhere()
    for page, reference in pages.items():
        old, begin = page.read_text(encoding="utf-8"), reference.splitlines()[0]
        if begin not in old or END not in old:
            print(f"{page.relative_to(ROOT)} lacks the line {begin} or {END}", file=sys.stderr)
            return 1
        before, rest = old.split(begin, 1)
        new = before + reference + rest.split(END, 1)[1]
        if new != old:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(new, encoding="utf-8")
    drawing, drawn = ROOT / "docs/plan.svg", picture()
    if not drawing.exists() or drawing.read_text(encoding="utf-8") != drawn:
        stale.append("docs/plan.svg")
        if not check:
            drawing.write_text(drawn, encoding="utf-8")
    if stale:
        print(f"{'out of date, run `make docs`' if check else 'written'}: {', '.join(stale)}")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
