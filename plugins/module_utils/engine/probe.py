"""Compare a host with what one section wants; an exception is that section's error and hides no other."""

import importlib
import sys
import traceback
from types import SimpleNamespace
from typing import Any, Dict, List, Sequence

from ansible_collections.slipway.node.plugins.module_utils.engine import files, phases, platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer

# Where the sections are.
UTILS = "ansible_collections.slipway.node.plugins.module_utils"
# What an action has for the node alone, contents, which may be large or secret, and what names such keys in `observed`.
PRIVATE = "do"
SECRET = "secret"


def load(name: str, parts: Sequence[str] = ("want", "observe", "plan")) -> Any:
    """Return a section, whose functions are in several files."""
    functions = {}  # type: Dict[str, Any]
    for part in parts:
        functions.update(vars(importlib.import_module("%s.%s.%s" % (UTILS, name, part))))
    return SimpleNamespace(**functions)


def probe(name: str, section: Any, host: Host, platform: platforms.Platform, inputs: Dict[str, Any]) -> Dict[str, Any]:
    """Return what is known of a section: plan, refused, problems, notes, error, facts, usable.

    ``want`` and ``observed`` are beside them for the phases that act; :func:`shown` leaves them out.
    """
    state = {
        "want": {},
        "observed": {},
        "plan": {},
        "refused": [],
        "problems": [],
        "notes": [],
        "facts": {},
        "error": "",
        # Whether a user could use what is wanted.
        "usable": (inputs.get("state"), inputs.get("service_state", "started")) == ("present", "started"),
    }  # type: Dict[str, Any]
    try:
        state["want"] = section.want(inputs, platform)
        state["observed"] = section.observe(host, state["want"])
        state["plan"] = _planned(name, section, state)
        # Not every section has something to say of each.
        for key, function in (("refused", "refusals"), ("notes", "notes"), ("facts", "facts")):
            if hasattr(section, function):
                state[key] = getattr(section, function)(state["want"], state["observed"])
    except platforms.InputProblem as problem:
        state["problems"] = list(problem.args)
    except NoAnswer as error:
        state["error"] = "%s." % error
    except OSError as error:
        state["error"] = files.why(error)
    except Exception as error:
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        where = "%s:%d" % (place[0].rpartition("/")[2], place[1])
        state["error"] = "%s: %s (%s); this is a fault of Slipway." % (type(error).__name__, error, where)
    return state


def _planned(name: str, section: Any, state: Dict[str, Any]) -> Dict[str, List[Dict[str, Any]]]:
    """Return the phases that have actions, in the order of the site's list."""
    plan = section.plan(state["want"], state["observed"])
    order = [one.partition(".")[2] for one in phases.ordered([name])] + [phases.LATER]
    unknown = set(plan) - set(order)
    if unknown:
        raise KeyError("engine/phases.py has no %s of %s" % (", ".join(sorted(unknown)), name))
    return {phase: plan[phase] for phase in order if plan.get(phase)}


def shown(state: Dict[str, Any], full: bool = False) -> Dict[str, Any]:
    """Return a state as a module answers it: without what is for the node alone."""
    hidden = () if full else ("want", "observed")
    answer = {key: value for key, value in state.items() if key not in hidden}
    if full:
        secret = state["observed"].get(SECRET, [])
        answer["observed"] = {key: value for key, value in state["observed"].items() if key not in secret}
    answer["plan"] = {
        phase: [{key: value for key, value in action.items() if key != PRIVATE} for action in actions]
        for phase, actions in state["plan"].items()
    }
    return answer
