"""What a phase may do to a host, and the engine that lets the phases act in the order of the site's list.

Every phase acts on what is true when its turn comes: a section is looked at again before its first phase and after a
phase of another section, and once all have acted, which proves them.
"""

import difflib
import grp
import os
import pwd
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.slipway.node.plugins.module_utils.engine import files, phases, platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import harmful, reasons_of
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe

# Seconds within which a program that changes something must end.
LIMIT = 1800
# A login's own may lack the folders of what changes a host.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Lines of a program's own words in an error.
LINES = 20


class Failed(Exception):
    """A phase cannot go on; the message says why and what to do."""


class Refused(Failed):
    """Nothing was done, since sections refuse; ``reasons`` has why, by section."""

    def __init__(self, reasons: Dict[str, List[str]]) -> None:
        super().__init__("\n".join(text for texts in reasons.values() for text in texts))
        self.reasons = reasons


class Waiting(Exception):
    """Long work goes on by itself; the message says how far it is. The phase is to be asked again."""


class Run:
    """What a phase may do. ``want`` and ``observed`` are those of its section, ``host`` reads.

    :param secrets: what only acting needs, by the name or the seal that stands for it in the inputs.
    :param show_diff: whether changes of files are to be kept in ``diffs``.
    """

    def __init__(
        self,
        host: Host,
        platform: platforms.Platform,
        secrets: Optional[Dict[str, Any]] = None,
        show_diff: bool = False,
    ) -> None:
        self.host, self.platform, self.secrets, self.show_diff = host, platform, secrets or {}, show_diff
        self.want, self.observed = {}, {}  # type: Dict[str, Any], Dict[str, Any]
        # The states of all sections of this call, as they were looked at last.
        self.states = {}  # type: Dict[str, Dict[str, Any]]
        # What a section found in one phase for a later one, by its name.
        self.kept = {}  # type: Dict[str, Any]
        self.notes, self.done = [], []  # type: List[str], List[str]
        self.diffs = []  # type: List[Dict[str, str]]

    def note(self, text: str) -> None:
        """Tell the admin something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def command(
        self,
        argv: Sequence[str],
        good: Sequence[int] = (0,),
        stdin: str = "",
        env: Optional[Dict[str, str]] = None,
        cwd: Optional[str] = None,
        limit: float = LIMIT,
    ) -> Tuple[int, str, str]:
        """Run a program in the C locale; return exit status, standard output and error.

        :param good: the exit statuses that are no failure; none accepts all.
        :param limit: seconds.
        :raises Failed: with the program's own last lines.
        """
        name = " ".join(argv[:3]) if len(argv[0]) < 40 else argv[0]
        try:
            done = subprocess.run(
                list(argv),
                input=to_bytes(stdin),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(os.environ, PATH=PATH, LC_ALL="C", LANGUAGE="C", **(env or {})),
                cwd=cwd,
                timeout=limit,
            )
        except FileNotFoundError as error:
            raise Failed("The command %s is missing. Install the package that has it, and run again." % error.filename)
        except subprocess.TimeoutExpired:
            raise Failed("`%s` did not end within %d s. See why on the host, and run again." % (name, limit))
        out, err = (to_text(one, errors="replace") for one in (done.stdout, done.stderr))
        if good and done.returncode not in good:
            raise Failed("`%s` failed (exit status %d): %s" % (name, done.returncode, last_lines(err or out)))
        return done.returncode, out, err

    def write(
        self, path: str, text: str, mode: int = 0o644, owner: str = "root", group: str = "root", secret: bool = False
    ) -> None:
        """Put a file in place whole, with its folder. A link is written through."""
        path = os.path.realpath(path)
        if self.show_diff and not secret:
            # As lines: a module's answer may not hold a whole text that was given to it as a secret.
            lines = difflib.unified_diff(files.read(path).splitlines(True), text.splitlines(True), path, path)
            self.diffs.append({"prepared": "".join(lines)})
        files.replace(path, text, mode, owner=(number_of(owner), group_number_of(group)))

    def rewrite(self, path: str, text: str) -> None:
        """Change a file that is not ours: a copy is kept, and mode and owner stay. A link is written through."""
        path = os.path.realpath(path)
        self.keep_copy(path)
        files.replace(path, text, 0o644)

    def write_secret(
        self, path: str, name: str, mode: int = files.PRIVATE, owner: str = "root", group: str = "root"
    ) -> None:
        """Put a file in place of which the plan has the secret's name alone."""
        self.write(path, self.secrets[name], mode, owner, group, secret=True)

    def folder(self, path: str, mode: int = 0o755, owner: str = "root", group: str = "root") -> None:
        """Make a folder, and set mode and owner of one that is there."""
        os.makedirs(path, 0o755, exist_ok=True)
        os.chown(path, number_of(owner), group_number_of(group))
        os.chmod(path, mode)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link by renaming it over what is there, so that at no time there is none."""
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        new = "%s.slipway-new" % path
        self.remove(new)
        os.symlink(target, new)
        os.rename(new, path)

    def remove(self, path: str) -> None:
        """Remove a file, a link, or a folder with all in it, which is renamed first so that no half of it is left."""
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            gone = os.path.join(os.path.dirname(path), ".gone-" + os.path.basename(path))
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(path, gone)
            shutil.rmtree(gone)

    def remove_if_empty(self, path: str) -> None:
        """Remove a folder where nothing is in it."""
        if os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)

    def keep_copy(self, path: str) -> str:
        """Copy a file that is not ours before it is changed; return where the copy is, empty where there is no file."""
        return files.keep_copy(path)

    def do(self, actions: Sequence[Dict[str, Any]]) -> None:
        """Do what actions say."""
        for method, *arguments in [one for action in actions for one in action.get("do", [])]:
            getattr(self, method)(*arguments)


def act(
    run: Run,
    inputs: Dict[str, Dict[str, Any]],
    only: Optional[Sequence[str]] = None,
    planned: Optional[Dict[str, Dict[str, str]]] = None,
) -> Dict[str, Dict[str, Any]]:
    """Let the phases of sections act where there is drift; return the states before.

    :param inputs: by section.
    :param only: the phases, as ``section.phase``; all where it is not given.
    :param planned: what the plan that was shown would stop, replace or remove, by section.
    :raises Refused: a section refuses, and nothing was done.
    :raises Failed: a phase cannot go on.
    """
    sections = dict((name, load(name, ("want", "observe", "plan", "act"))) for name in inputs)
    states = dict((name, _look(run, name, sections[name], inputs[name])) for name in inputs)
    reasons = dict(
        (name, reasons_of(name, state) or _unplanned(name, state, planned)) for name, state in states.items()
    )
    if any(reasons.values()):
        raise Refused(dict((name, why) for name, why in reasons.items() if why))
    before, fresh = dict(states), set(states)
    begun = []  # type: List[str]
    for whole in phases.ordered(list(inputs)):
        name, _, phase = whole.partition(".")
        section = sections[name]
        if only is not None and whole not in only:
            continue
        if name not in fresh:
            states[name] = _look(run, name, section, inputs[name])
            reasons = reasons_of(name, states[name])
            if reasons:
                raise Failed("\n".join(reasons))
            fresh.add(name)
        actions = states[name]["plan"].get(phase)
        if not actions:
            continue
        run.want, run.observed = states[name]["want"], states[name]["observed"]
        if name not in begun:
            begun.append(name)
            _call(run, section, "begin", whole)
        _call(run, section, phase, whole, actions)
        run.done.append(whole)
        # What one section does another may see; its own later phases were planned together, unless it says otherwise.
        fresh = set() if phase in getattr(section, "LOOK_AGAIN_AFTER", ()) else {name}
    for name in begun:
        run.want, run.observed = states[name]["want"], states[name]["observed"]
        _call(run, sections[name], "finish", name)
    return before


def _look(run: Run, name: str, section: Any, inputs: Dict[str, Any]) -> Dict[str, Any]:
    state = probe(name, section, run.host, run.platform, inputs)
    run.states[name] = state
    return state


def _unplanned(name: str, state: Dict[str, Any], planned: Optional[Dict[str, Dict[str, str]]]) -> List[str]:
    """Return as a sentence what would be stopped, replaced or removed and is in no plan that was shown."""
    if not planned or name not in planned:
        return []
    new = [text for what, text in harmful(name, state["plan"]).items() if what not in planned[name]]
    return [
        "The host changed since it was compared, and this would now happen too: %s. Nothing was changed. See what "
        "playbooks/plan.yml shows, and run again." % "; ".join(new)
    ] * bool(new)


def _call(run: Run, section: Any, function: str, whole: str, actions: Optional[List[Dict[str, Any]]] = None) -> None:
    """Do a phase by the section's own function, or by what its actions say."""
    try:
        if hasattr(section, function):
            getattr(section, function)(run, *([] if actions is None else [actions]))
        else:
            run.do(actions or [])
    except OSError as error:
        raise Failed("%s: %s" % (whole, files.why(error)))
    except NoAnswer as error:
        raise Failed("%s: %s." % (whole, error))


def last_lines(text: str, count: int = LINES) -> str:
    """Return the end of what a program said."""
    return "\n".join([line for line in text.strip().splitlines() if line.strip()][-count:])


def number_of(owner: str) -> int:
    """Return a user's number."""
    try:
        return pwd.getpwnam(owner).pw_uid if owner != "root" else 0
    except KeyError:
        raise Failed("The host has no user %s. Create it, and run again." % owner)


def group_number_of(group: str) -> int:
    """Return a group's number."""
    try:
        return grp.getgrnam(group).gr_gid if group != "root" else 0
    except KeyError:
        raise Failed("The host has no group %s. Create it, and run again." % group)
