"""The engine that lets phases act: in the list's order, on what is true then, and what a phase may do."""

import os
import stat
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import files, packages, phases, plans, run
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import action
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, act

PLATFORM = describe("Debian", "12.15", "bookworm", "x86_64")
STEPS = [phases.Step("roll out", "a", "act", ["a.first", "b.between", "a.last"])]


@pytest.fixture
def engine():
    return Run(Host(), PLATFORM)


@pytest.fixture
def world(monkeypatch):
    """Two sections that share a world: what is wanted is a set of words in it."""
    said = []

    def section(name, wanted, **more):
        def plan(_want, observed):
            return {
                phase: [action(phase, "no", "yes")] for phase in wanted if f"{name}.{phase}" not in observed["seen"]
            }

        def observe(_host, _want):
            said.append(f"look {name}")
            return {"seen": list(said)}

        return SimpleNamespace(
            want=lambda inputs, _platform: inputs,
            observe=observe,
            plan=plan,
            **{phase: lambda _run, _actions, phase=phase: said.append(f"{name}.{phase}") for phase in wanted},
            **more,
        )

    sections = {"a": section("a", ["last", "first"]), "b": section("b", ["between"])}
    monkeypatch.setattr(phases, "STEPS", STEPS)
    monkeypatch.setattr(run, "load", lambda name, _parts: sections[name])
    return SimpleNamespace(said=said, sections=sections)


def test_phases_of_several_sections_act_in_the_list_s_order_on_what_is_true_then(world, engine):
    before = act(engine, {"a": {}, "b": {}})
    assert engine.done == ["a.first", "b.between", "a.last"]
    assert world.said == ["look a", "look b", "a.first", "look b", "b.between", "look a", "a.last"]
    assert list(before["a"]["plan"]) == ["first", "last"]


def test_a_phase_after_which_nothing_is_as_before_makes_its_section_look_again(world, engine):
    world.sections["a"].LOOK_AGAIN_AFTER = ["first"]
    act(engine, {"a": {}})
    assert world.said == ["look a", "a.first", "look a", "a.last"]


def test_some_phases_may_be_asked_for(world, engine):
    act(engine, {"a": {}, "b": {}}, only=["a.last"])
    assert engine.done == ["a.last"]


def test_a_section_begins_and_finishes_once_where_it_acts(world, engine):
    for name, one in world.sections.items():
        one.begin = lambda _run, name=name: world.said.append(f"begin {name}")
        one.finish = lambda _run, name=name: world.said.append(f"finish {name}")
    act(engine, {"a": {}, "b": {}}, only=["a.first", "a.last"])
    assert world.said[2:] == ["begin a", "a.first", "a.last", "finish a"]


def test_a_refusal_stops_all_before_anything_is_touched(world, engine):
    world.sections["b"].refusals = lambda _want, _observed: ["Not here. Do that."]
    with pytest.raises(Failed, match=r"Not here\. Do that\."):
        act(engine, {"a": {}, "b": {}})
    assert engine.done == []


@pytest.mark.parametrize(
    ("is_", "planned", "fine"),
    [
        ("there", {"a": {}}, False),
        # Whatever patch of it is there by now.
        ("there", {"a": {"first: first -> yes": "first: other -> yes"}}, True),
        ("there", {}, True),
        ("there", {"b": {}}, True),
        ("missing", {"a": {}}, True),
    ],
)
def test_what_the_plan_did_not_name_is_neither_stopped_nor_removed(world, engine, monkeypatch, is_, planned, fine):
    monkeypatch.setattr(plans, "HARMFUL", {"a.first"})
    world.sections["a"].plan = lambda _want, _observed: {"first": [action("first", is_, "yes")]}
    if fine:
        act(engine, {"a": {}}, planned=planned)
    else:
        with pytest.raises(Failed, match=r"The host changed since it was compared.*first: there -> yes"):
            act(engine, {"a": {}}, planned=planned)
    assert (engine.done == ["a.first"]) is fine


def test_an_error_of_the_system_names_phase_and_path(world, engine):
    def fails(_run, _actions):
        raise OSError(28, "No space left on device", "/opt/x")

    world.sections["a"].first = fails
    with pytest.raises(Failed, match=r"a\.first: /opt/x: The disk is full\. Free space there, and run again\."):
        act(engine, {"a": {}})


def test_a_phase_without_a_function_does_what_its_actions_say(world, engine, tmp_path):
    one = tmp_path / "folder/file"
    del world.sections["a"].first
    world.sections["a"].plan = lambda _want, _observed: {
        "first": [
            action(
                "x",
                "a",
                "b",
                ["folder", str(one.parent), 0o700, *owner()],
                ["write", str(one), "text", 0o640, *owner()],
            )
        ]
    }
    act(engine, {"a": {}})
    assert one.read_text() == "text" and stat.S_IMODE(one.stat().st_mode) == 0o640
    assert stat.S_IMODE(one.parent.stat().st_mode) == 0o700


def owner():
    import grp
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


def test_a_link_is_replaced_by_another_and_a_file_is_written_through_its_link(engine, tmp_path):
    link, file = tmp_path / "link", tmp_path / "file"
    engine.link(str(link), "first")
    engine.link(str(link), str(file))
    assert os.readlink(link) == str(file)
    engine.write(str(link), "text", 0o644, *owner())
    assert link.is_symlink() and file.read_text() == "text"
    engine.remove(str(link))
    assert not link.exists() and file.exists()


def test_a_folder_goes_whole(engine, tmp_path):
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / ".gone-x").mkdir()
    engine.remove(str(tmp_path / "x"))
    engine.remove(str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_kept_unless_it_is_secret(tmp_path):
    engine = Run(Host(), PLATFORM, show_diff=True)
    engine.write(str(tmp_path / "a"), "new", 0o644, *owner())
    engine.write(str(tmp_path / "b"), "secret", 0o600, *owner(), secret=True)
    (one,) = engine.diffs
    assert one["prepared"].splitlines()[3:] == ["+new"]


def test_a_command_that_fails_is_told_in_its_own_words(engine):
    with pytest.raises(Failed, match=r"(?s)`sh -c .*` failed .exit status 3.: it went wrong"):
        engine.command(["sh", "-c", "echo it went wrong >&2; exit 3"])
    assert engine.command(["sh", "-c", "cat; exit 3"], (0, 3), stdin="in")[:2] == (3, "in")
    with pytest.raises(Failed, match="The command no-such is missing"):
        engine.command(["no-such"])
    with pytest.raises(Failed, match="did not end within 0 s"):
        engine.command(["sleep", "5"], limit=0.1)


def test_a_file_that_is_not_ours_keeps_its_mode_and_a_copy(engine, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "COPIES", str(tmp_path / "copies"))
    one = tmp_path / "file"
    one.write_text("before")
    one.chmod(0o640)
    engine.rewrite(str(one), "after")
    assert one.read_text() == "after" and stat.S_IMODE(one.stat().st_mode) == 0o640
    assert [path.read_text() for path in (tmp_path / "copies").iterdir()] == ["before"] and engine.diffs == []


@pytest.mark.parametrize(("fails", "seconds", "tries"), [(2, 600, 3), (2, -1, 1), (0, 600, 1)])
def test_apt_waits_for_another_at_its_lists_and_downloads(engine, monkeypatch, fails, seconds, tries):
    asked = []

    def command(argv, **_options):
        asked.append(argv)
        return (100, "", "E: Could not get lock /var/lib/apt/lists/lock\n") if len(asked) <= fails else (0, "", "")

    monkeypatch.setattr(engine, "command", command)
    monkeypatch.setattr(packages, "LOCK_SECONDS", seconds)
    monkeypatch.setattr(packages.time, "sleep", lambda _seconds: None)
    if seconds < 0:
        with pytest.raises(Failed, match="Could not get lock"):
            packages.refresh(engine, "apt")
    else:
        packages.refresh(engine, "apt")
    assert len(asked) == tries
    packages.refresh(engine, "dnf")
    assert len(asked) == tries


def test_five_copies_of_a_file_are_kept_with_its_mode(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "COPIES", str(tmp_path / "copies"))
    one = tmp_path / "file"
    assert files.keep_copy(str(one)) == ""
    # The copies of another file whose path goes on where this one's ends.
    (tmp_path / "copies").mkdir()
    others = [
        tmp_path / "copies" / (str(one).strip("/").replace("/", "%") + f".d%x.20270101T00000{n}") for n in range(5)
    ]
    for other in others:
        other.write_text("other")
    for number in range(7):
        one.write_text(str(number))
        one.chmod(0o640)
        monkeypatch.setattr(files.time, "strftime", lambda _format, number=number: "2026110%dT120000" % number)
        copy = files.keep_copy(str(one))
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o640
    assert [path.read_text() for path in sorted((tmp_path / "copies").iterdir())] == [*"23456", *["other"] * 5]
