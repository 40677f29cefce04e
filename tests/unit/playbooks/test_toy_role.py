"""An eighth role needs its own files and lines in one list; then plan, site, verify and remove know it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UTILS = "ansible_collections.slipway.node.plugins.module_utils"
FILES = {
    "plugins/module_utils/toy/__init__.py": "",
    "plugins/module_utils/toy/want.py": '''"""."""
def want(inputs, _platform):
    return inputs
''',
    "plugins/module_utils/toy/observe.py": '''"""."""
def observe(host, want):
    return {"text": host.read(want["path"])}
''',
    "plugins/module_utils/toy/plan.py": f'''"""."""
from {UTILS}.engine.plans import action


def plan(want, observed):
    is_, text, path = observed["text"], want["text"], want["path"]
    if want["state"] == "absent":
        return {{"remove_file": [action("the toy", is_, "absent", ["remove", path])] if is_ else []}}
    return {{"write_file": [] if is_ == text else [action("the toy", is_ or "missing", text, ["write", path, text])]}}


def refusals(want, observed):
    return ["The toy is broken. Mend it."] if want["text"] == "broken" or observed["text"] == "broken" else []


def facts(want, observed):
    return {{"toy": observed["text"], "path": want["path"]}}
''',
    "plugins/module_utils/toy/act.py": '''"""."""
''',
    "plugins/plugin_utils/toy/__init__.py": "",
    "plugins/plugin_utils/toy/inputs.py": '''"""."""
REMOVAL_INPUTS = ("state", "path")


def prepare(inputs, _site):
    return inputs, ["toy_text is empty. Write a text."] if inputs["text"] == "" else []
''',
    "roles/toy/defaults/main.yml": "toy_state: present\ntoy_text: hello\ntoy_path: PATH\n",
    "roles/toy/meta/argument_specs.yml": """argument_specs:
  inputs:
    options:
      toy_state: {type: str, choices: [present, absent], default: present}
      toy_text: {type: str}
      toy_path: {type: str}
""",
    "roles/toy/tasks/act.yml": """
- name: Act
  slipway.node.act:
    roles: [toy]
  register: slipway_state
""",
    "roles/toy/tasks/verify.yml": """
- name: Read the toy
  ansible.builtin.command: cat {{ slipway_state.toy.facts.path }}
  register: __toy_read
  changed_when: false
""",
}
LIST = f"""
SECTIONS += (
    Section(
        "toy", "toy", ("toy_hosts",), columns=("toy",), proofs=(("plaything", "__toy_read", "cannot be read", "reads"),)
    ),
)
GROUPS += ("toy_hosts",)
STEPS += [Step("roll out", "toy", "act", ["toy.write_file", "toy.remove_file"])]
if TYPE_CHECKING:
    from {UTILS}.toy import act, observe, plan, want
"""


def another(text):
    """Return a text of a ninth role, which is as the toy."""
    return text.replace("toy", "bear").replace("bear_hosts", "toy_hosts").replace('GROUPS += ("toy_hosts",)', "")


@pytest.fixture(params=[False])
def site(tmp_path, request):
    """Return a command that runs a playbook of a checkout that has the role, and maybe another, on this machine."""
    home, toy = tmp_path / "checkout", tmp_path / "toy"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in tracked.splitlines():
        if name.split("/")[0] in ("plugins", "roles", "playbooks", "meta", "ansible.cfg", "galaxy.yml", "collections"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name, follow_symlinks=False)
    bears = {another(name): another(text) for name, text in FILES.items()} if request.param else {}
    for name, text in {**FILES, **bears}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text.replace("PATH", str(toy)))
    with (home / "plugins/module_utils/engine/phases.py").open("a") as phases:
        phases.write(LIST + (another(LIST) if bears else ""))
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts").write_text(f"[toy_hosts]\nhere {local}\n")
    (tmp_path / "three").write_text(
        f"[toy_hosts:vars]\nbear_path={tmp_path}/bear-{{{{ inventory_hostname }}}}\n"
        f"toy_path={tmp_path}/toy-{{{{ inventory_hostname }}}}\n[toy_hosts]\n"
        + "".join(f"{name} {local}\n" for name in "abc")
        + "dead ansible_host=127.0.0.1 ansible_port=1\n"
    )
    paths = {"a": tmp_path / "a", "b": home / "ansible.cfg/b", "c": tmp_path / "c", "d": tmp_path / "d"}
    lines = [f"{name} {local} toy_path={path}" for name, path in paths.items()]
    (tmp_path / "batches").write_text("\n".join(["[toy_hosts]", *lines, ""]))

    def run(playbook, *arguments, hosts="hosts"):
        command = ["ansible-playbook", "-i", tmp_path / hosts, f"playbooks/{playbook}.yml", *arguments]
        environment = {"ANSIBLE_COLLECTIONS_PATH": "collections", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
        environment["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        pipe = subprocess.PIPE
        done = subprocess.run(command, cwd=home, env=environment, stdout=pipe, stderr=pipe, text=True, check=False)
        return done.returncode, done.stdout

    run.file, run.folder = toy, tmp_path
    return run


def test_every_playbook_knows_a_role_that_is_in_the_list(site):
    code, said = site("plan")
    assert code == 0 and "the toy: missing -> hello" in said and not site.file.exists()
    code, said = site("site")
    assert code == 0 and site.file.read_text() == "hello", said
    assert [line.split()[-2:] for line in said.splitlines() if line.startswith("here")] == [["hello", "yes"]]
    code, said = site("site")
    assert code == 0 and said.strip().endswith("1 hosts: 0 changed")
    code, said = site("verify")
    assert code == 0 and "plaything" in said and "reads" in said
    code, said = site("plan", "-e", "toy_text=")
    assert code == 2 and "toy_text is empty. Write a text." in said
    code, said = site("remove")
    assert code == 2 and "This removes toy" in said and site.file.exists()
    code, said = site("remove", "-e", "slipway_confirm=remove")
    assert code == 0 and not site.file.exists()


@pytest.mark.parametrize(
    ("given", "outcomes"),
    [
        ("slipway_batch=2", ["a yes", "b FAILED", "c, d not reached"]),
        # a is done, and goes on to what comes after its batch.
        ("slipway_batch=1", ["a yes", "b FAILED", "c, d not reached"]),
        ("slipway_batch=2 slipway_max_fail_percentage=24", ["a yes", "b FAILED", "c, d not reached"]),
        ("slipway_batch=2 slipway_max_fail_percentage=25", ["a, c, d yes", "b FAILED"]),
    ],
)
def test_a_batch_in_which_a_host_fails_stops_the_later_ones_and_the_table_is_shown(site, given, outcomes):
    code, said = site("site", "-e", given, hosts="batches")
    lines = said[said.index("node ") :].splitlines()[2 : 2 + len(outcomes)]
    # Its own batch goes on to its end.
    assert [f"{line.split('  ')[0]} {line.split('  ')[-1].strip()}" for line in lines] == outcomes
    assert code == 2 and said.count("toy.write_file: ") == 1, said
    changed, failed = ("1", "3 failed (b, c, d)") if "not reached" in outcomes[-1] else ("3", "1 failed (b)")
    assert said.strip().splitlines()[-1] == f"4 hosts: {changed} changed, {failed}"
    assert ("It was not changed, since b failed in an earlier batch." in said) is ("not reached" in outcomes[-1])


def made(site):
    """Return the files that roles wrote."""
    return sorted(path.name for path in site.folder.iterdir() if path.name.startswith(("toy-", "bear-")))


@pytest.mark.parametrize("site", [True], indirect=True)
@pytest.mark.parametrize("wrong", ["b", "dead"])
def test_a_wrong_input_of_one_host_of_the_run_leaves_all_untouched(site, wrong):
    (site.folder / "host_vars").mkdir()
    (site.folder / f"host_vars/{wrong}.yml").write_text("toy_text: ''\n")
    code, said = site("site", hosts="three")
    assert code != 0 and made(site) == [], said
    lines = said.splitlines()
    assert f"  {wrong}: toy_text is empty. Write a text." in lines
    limit = f"'all:!{wrong}'"
    assert f"  No host was changed. Correct the inputs, or leave these hosts out: --limit {limit}." in lines
    assert said.count("toy_text is empty") == 1
    code, said = site("site", "--limit", limit.strip("'"), hosts="three")
    assert len(made(site)) == (4 if wrong == "b" else 6), said


@pytest.mark.parametrize("site", [True], indirect=True)
def test_a_refusal_stops_its_role_alone_and_no_later_batch_and_a_dead_host_nobody(site):
    (site.folder / "host_vars").mkdir()
    (site.folder / "host_vars/a.yml").write_text("toy_text: broken\n")
    code, said = site("plan", hosts="three")
    assert "1 would change in part, 1 not compared" in said and "2 would change" in said, said
    code, said = site("site", "-e", "slipway_batch=1", hosts="three")
    assert made(site) == ["bear-a", "bear-b", "bear-c", "toy-b", "toy-c"], said
    lines = said.splitlines()
    assert "note: a: toy stays as it is. The toy is broken. Mend it." in lines and said.count("is broken") == 1
    # Its own words, and those of who could not be reached, and nothing of what was left out.
    assert "  See above why it refuses, and run again: toy." in lines
    rows = {line.split()[0]: line.split("  ")[-1].strip() for line in lines if line.startswith(("a ", "b,", "dead"))}
    assert rows == {"a": "yes, in part", "b,": "yes", "dead": "UNREACHABLE"}
    assert lines[-1] == "4 hosts: 3 changed, 1 failed (a), 1 unreachable (dead)" and code in (2, 4, 6)


@pytest.mark.parametrize("site", [True], indirect=True)
def test_what_refuses_by_the_time_of_its_batch_is_left_out_then(site):
    """The second host's toy breaks while the first one's is made."""
    (site.folder / "host_vars").mkdir()
    (site.folder / "host_vars/b.yml").write_text(f"toy_path: {site.folder}/toy-a\ntoy_text: other\n")
    (site.folder / "host_vars/a.yml").write_text("toy_text: hello\n")
    breaks = site.folder / "checkout/roles/toy/tasks/act.yml"
    breaks.write_text(
        breaks.read_text()
        + f"""
- name: Break it
  ansible.builtin.copy: {{dest: {site.folder}/toy-a, content: broken, mode: "0644"}}
  when: inventory_hostname == 'a'
"""
    )
    code, said = site("site", "-e", "slipway_batch=1", "--limit", "a,b,c", hosts="three")
    assert code == 2 and (site.folder / "toy-a").read_text() == "broken", said
    assert made(site) == ["bear-a", "bear-b", "bear-c", "toy-a", "toy-c"], said
    assert "note     b: toy stays as it is. The toy is broken. Mend it." in said.splitlines(), said
