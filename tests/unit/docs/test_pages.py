"""What the pages say is there: links, inputs, playbooks, commands, and the sentences that they quote."""

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.slipway.node.plugins.module_utils.engine import phases
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader

from tests.unit.docs import pages

ROOT = pages.ROOT
PLAYBOOKS = {path.name for path in ROOT.glob("playbooks/*.yml")}
PREFIXES = "|".join([*pages.ROLES, "slipway", "plan", "verify"])
# Variables of playbooks, and words that begin like an input.
OTHERS = {
    *("plan_fail_on", "plan_fail_on_drift", "plan_json", "plan_ask_mirrors", "verify_image"),
    *("slipway_state", "slipway_facts"),
    *(section.name for section in phases.SECTIONS),
    *(f"{name}_state" for name in ("docker_ce", "registry")),
}
every_page = pytest.mark.parametrize("page", pages.PAGES, ids=pages.name_of)


@every_page
def test_links_lead_somewhere(page):
    lost = []
    for link in re.findall(r"\]\(([^)#\s]*(?:#[^)\s]*)?)\)", re.sub(r"`[^`]*`", "", pages.prose(page))):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:|mailto:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in pages.anchors(target)):
            lost.append(link)
    assert not lost


@every_page
def test_inputs_that_are_named_are_there(page):
    text = re.sub(r"<!-- reference: .*?<!-- end of reference -->", "", pages.read(page), flags=re.DOTALL)
    # In code alone: `docker_daemon_*` stands for several, a path or a file for itself.
    code = " ".join([*re.findall(r"`([^`\n]+)`", text), *(block for _kind, _marker, block in pages.blocks(page))])
    named = set(re.findall(rf"(?<![\w./-])(?:{PREFIXES})_[a-z0-9_]+\b(?![*./(])", code))
    unknown = {name for name in named - pages.inputs() - OTHERS if f"{name}_" not in " ".join(pages.inputs())}
    meant_wrong = {"docker_ce_versoin", "registry_enabled", "golang_hosts", "registry_hosts", "singularity_hosts"}
    foreign = pages.inputs() if page.name == "coming_from.md" else set()
    assert not unknown - meant_wrong - foreign


@every_page
def test_playbooks_make_targets_and_options_are_there(page):
    text = pages.read(page)
    assert not set(re.findall(r"\bplaybooks/(\w+\.yml)", text)) - PLAYBOOKS
    short = set(re.findall(r"\bslipway\.node\.(site|plan|verify|remove|registry_backup|registry_restore)\b", text))
    assert {f"{name}.yml" for name in short} <= PLAYBOOKS
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for _kind, _marker, block in pages.blocks(page):
        assert not set(re.findall(r"(?m)^make ([a-z-]+)", block)) - targets
    assert not set(re.findall(r"`make ([a-z-]+)", text)) - targets
    program = (ROOT / "roles/registry/files/slipway-registry").read_text(encoding="utf-8")
    commands = set(re.findall(r'add_parser\("(\w+)"', program)) | {"COMMAND"}
    assert not set(re.findall(r"(?:`|sudo )slipway-registry (\w+)", text)) - commands


@every_page
def test_each_block_of_commands_is_run_by_a_test_or_says_that_none_does(page):
    for kind, marker, block in pages.blocks(page):
        if kind not in ("sh", "bash"):
            continue
        found = pages.MARKER.fullmatch(marker)
        assert found, f"this block needs <!-- run by: PATH --> or <!-- run by: no test --> above it:\n{block}"
        if found[1] == "no test":
            continue
        ran = ""
        for path in found[1].split():
            files = [ROOT / path] if (ROOT / path).is_file() else sorted((ROOT / path).rglob("*"))
            assert files, f"{path} is not there"
            ran += "".join(
                pages.read(file) for file in files if file.suffix in (".py", ".yml", ".sh", "") and file.is_file()
            )
        for word in set(re.findall(r"\b(\w+\.yml)\b(?=\s|$)", block)) - {"hosts.yml"}:
            assert word in PLAYBOOKS and (word in ran or f"slipway.node.{word[:-4]}" in ran), word
        for word in re.findall(r"(?m)^(?:sudo )?slipway-registry (\w+)", block):
            assert re.search(rf"slipway-registry.{{0,9}} {word}|'{word}'", ran), word
        for word in re.findall(r"-e '?\{?\"?(\w+)", block):
            assert word in ran, f"no test there gives {word}"


def settings(block):
    """Return the variables of a block of YAML, wherever in it they stand; a block may hold several files."""
    waiting, found = list(yaml.safe_load_all(block)), {}
    while waiting:
        one = waiting.pop()
        waiting += one if isinstance(one, list) else one.values() if isinstance(one, dict) else []
        found.update(one if isinstance(one, dict) else {})
    return found


def problems(given):
    """Return what is wrong with the types of variables."""
    found = []
    for role in ["", *pages.ROLES]:
        spec = reader.specification(role)
        # What is a template has a value on a host alone.
        known = {name: one for name, one in given.items() if name in spec and "{{" not in str(one)}
        options = {name: spec[name] for name in known}
        found += reader.read(options, {}, known, lambda value: value, f"{role or 'slipway'}_")[1]
    return found


@every_page
def test_settings_in_blocks_are_of_their_types(page):
    assert not [
        one for kind, _marker, block in pages.blocks(page) if kind == "yaml" for one in problems(settings(block))
    ]


@pytest.mark.parametrize("name", ["all", "enterprise_linux"])
def test_the_example_s_settings_are_inputs_of_their_types_once_the_marks_are_taken_off(name):
    text = pages.read(ROOT / f"inventories/example/group_vars/{name}/slipway.yml")
    given = settings(re.sub(rf"(?m)^# (?=(?:{PREFIXES})_\w+:|  - )", "", text))
    names = [one for one in given if re.match(rf"(?:{PREFIXES})_", one)]
    assert names and set(names) <= pages.inputs() and problems(given) == []


def quoted(page):
    """Return the sentences that a page of troubles is indexed by: its headings in code."""
    return [
        text for _level, heading in pages.headings(page) for text in re.findall(r"`([^`].*?)`(?=$| or | 或 )", heading)
    ]


@pytest.mark.parametrize("name", ["troubleshooting.md", "troubleshooting.zh.md"])
def test_quoted_sentences_are_those_of_the_code(name):
    sentences = quoted(ROOT / "docs" / name)
    assert len(sentences) > 20
    assert not [sentence for sentence in sentences if not pages.is_said(sentence)]


def test_a_sentence_that_nothing_prints_is_found():
    assert pages.is_said("No mirror of Docker CE is usable from this node, and nothing was changed.")
    assert not pages.is_said("No mirror of Docker CE is usable from this node ... and the moon fell.")


def test_the_recorded_plan_has_phases_of_ours():
    steps = {name for step in phases.STEPS for name in step.phases}
    rows = [line.split()[:3] for line in (ROOT / "docs/plan.txt").read_text(encoding="utf-8").splitlines()[3:]]
    named = {f"{row[1]}.{row[2]}" for row in rows if row[0] == "rocky9" and row[2] not in ("NOTE", "REFUSED")}
    assert len(named) > 10 and named <= steps


def test_readme_names_every_group_and_every_role():
    readme = pages.read(ROOT / "README.md")
    assert len(readme.splitlines()) <= 130
    assert not [group for group in phases.GROUPS if f"`{group}`" not in readme]
    assert not [role for role in pages.ROLES if f"roles/{role}/README.md" not in readme]


def test_pages_name_no_place_but_examples_and_public_ones():
    """The address of the project is set in galaxy.yml; its stand-in is an example, and so are all hosts of sites."""
    address = yaml.safe_load(pages.read(ROOT / "galaxy.yml"))["repository"]
    for page in [*pages.PAGES, *ROOT.glob(".github/**/*.yml")]:
        others = [url for url in re.findall(r"https://git\.[^\s)>`]+", pages.read(page)) if not url.startswith(address)]
        assert not others, page
    for page in pages.PAGES:
        assert not re.search(rf"/(?:root|home)/\w+/|{re.escape(str(ROOT))}", pages.read(page)), page


@pytest.mark.parametrize("path", sorted(pages.name_of(one) for one in ROOT.glob("docs/*.md")))
def test_no_page_is_an_orphan(path):
    """Each page of docs/ is linked from README, in its own language."""
    suffix = ".zh.md" if path.endswith(".zh.md") else ".md"
    assert f"({path})" in pages.read(ROOT / f"README{suffix}")


def sources():
    files = [*ROOT.glob("plugins/*_utils/**/*.py"), *ROOT.glob("plugins/modules/*.py"), *ROOT.glob("roles/*/*/*")]
    return "".join(pages.read(path) for path in files if path.is_file() and path.suffix != ".md")


def test_every_place_that_is_ours_is_told_and_there_is_none_that_is_not():
    """By both ways: paths with our name in the code, and paths in the tables of what is written to nodes."""
    page, code = pages.read(ROOT / "docs/footprint.md"), sources()
    ours = set(re.findall(r"/(?:etc|opt|run|usr|var)/[\w./-]*slipway[\w./-]*\w", code))
    # Of containers, and parts of a folder that is told as a whole.
    inside = {"/etc/slipway", "/etc/slipway-tls", "/etc/slipway/config.yml"}
    told = re.findall(r"`(/[\w./-]+?)/?`", page.partition("## Ports")[0])
    assert not {path for path in ours - inside if not any(path == one or path.startswith(f"{one}/") for one in told)}
    patterns = [one.replace("/usr/local/go-VERSION", "/usr/local/go") for one in told if "slipway-docker-ce" not in one]
    assert len(patterns) > 30 and not [one for one in patterns if one not in code and Path(one).name not in code]


CHINESE = [page for page in pages.PAGES if page.name.endswith(".zh.md")]


def without_comments(block):
    return [re.sub(r"\s+#.*|^#.*", "", line) for line in block.splitlines() if re.sub(r"\s+#.*|^#.*", "", line)]


@pytest.mark.parametrize("page", CHINESE, ids=pages.name_of)
def test_a_chinese_page_has_the_headings_commands_and_code_of_the_english_one(page):
    english = page.with_name(page.name.replace(".zh.md", ".md"))
    assert [level for level, _text in pages.headings(page)] == [level for level, _text in pages.headings(english)]
    ours, theirs = pages.blocks(page), pages.blocks(english)
    assert [one[:2] for one in ours] == [one[:2] for one in theirs]
    assert [without_comments(one[2]) for one in ours] == [without_comments(one[2]) for one in theirs]
    # Sentences that are looked for stay as they are printed.
    assert quoted(page) == quoted(english)
    for pattern in (r"(?m)^\|", r"(?m)^ *(?:[-*]|\d\.) "):
        assert len(re.findall(pattern, pages.prose(page))) == len(re.findall(pattern, pages.prose(english))), pattern
    code = [sorted(set(re.findall(r"`([^`\n]+)`", pages.prose(one)))) for one in (page, english)]
    assert code[0] == code[1]


def test_every_chinese_page_is_chinese():
    assert len(CHINESE) == 3
    assert all(len(re.findall(r"[\u4e00-\u9fff]", pages.read(page))) > 400 for page in CHINESE)
