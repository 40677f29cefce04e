"""The pages as the tests of them read them: headings, blocks of code, sentences that are quoted."""

import ast
import re
import textwrap
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
# Whose words are their own: the history, and other projects' variables.
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "roles/*/README.md", "examples/**/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
MARKER = re.compile(r"<!-- run by: (.+) -->")
FENCE = re.compile(r"(?ms)^( *)(?:(<!-- [^\n]* -->)\n\1)?```(\w*)\n(.*?)^\1```$")


def name_of(page):
    return str(page.relative_to(ROOT))


def read(page):
    return page.read_text(encoding="utf-8")


def blocks(page):
    """Return language, marker and text of each block of code."""
    return [(found[3], found[2] or "", textwrap.dedent(found[4])) for found in FENCE.finditer(read(page))]


def prose(page):
    """Return a page without its blocks of code."""
    return FENCE.sub("", read(page))


def headings(page):
    """Return level and text of each heading."""
    return [(len(marks), text) for marks, text in re.findall(r"(?m)^(#+) (.+)$", prose(page))]


def anchors(page):
    """Return the anchors by which headings are linked to."""
    kept = (re.sub(r"[^\w\- ]", "", text.lower()) for _level, text in headings(page))
    return {text.replace(" ", "-") for text in kept}


@cache
def inputs():
    """Return the names of all inputs, of roles and shared."""
    specs = [ROOT / "meta/argument_specs.yml", *ROOT.glob("roles/*/meta/argument_specs.yml")]
    return {name for spec in specs for name in yaml.safe_load(read(spec))["argument_specs"]["inputs"]["options"]}


@cache
def spoken():
    """Return all that the collection may print, one text for each constant or file, with one space between words."""
    files = [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("environment.py")]
    texts = [text for path in files for text in constants(ast.parse(read(path)))]
    others = [
        ROOT / "site.yml",
        *ROOT.glob("playbooks/**/*.yml"),
        *ROOT.glob("roles/*/tasks/*.yml"),
        *ROOT.glob("roles/*/files/*"),
    ]
    texts += [read(path) for path in others if path.is_file()]
    return [" ".join(text.split()) for text in texts]


def constants(tree):
    """Return the texts of a program, those that stand beside each other joined, with a gap for each value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(\(\w+\))?[sdrg]", "\0", node.value)


def is_said(sentence):
    """Tell whether something printed has all stable parts of a sentence, which has `...` for what differs."""
    parts = [part.strip() for part in re.split(r"\.\.\.", " ".join(sentence.split())) if part.strip()]
    return any(all(part in text for part in parts) for text in spoken())
