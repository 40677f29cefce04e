"""What a plan is made of: actions, by the phase that does them."""

from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.phases import HARMFUL

# What an action has as `is` where nothing is there.
NOTHING = ("missing", "not installed", "absent")
Action = Dict[str, Any]
Plan = Dict[str, List[Action]]


def action(item: str, is_: str, want: str, *do: List[Any], **more: Any) -> Action:
    """Return one difference, as the plan shows it, and all that is needed to mend it.

    :param do: calls of ``Run``, each a list of the method's name and its arguments. They stay on the node.
    :param more: what tasks on the controller need, such as a path or a digest; no secret and nothing large.
    """
    return dict(more, item=item, want=want, **{"is": is_}, **({"do": list(do)} if do else {}))


def sentence(action: Action) -> str:
    """Return an action as text: ``docker.service: not enabled -> enabled``."""
    return "%(item)s: %(is)s -> %(want)s" % action


def rows(section: str, plan: Plan) -> List[Action]:
    """Return the actions of a plan in their order, each with its section, as ``role``, and its phase."""
    return [dict(one, role=section, phase=phase) for phase, actions in plan.items() for one in actions]


def gone(section: str, before: Plan, after: Plan) -> List[Action]:
    """Return the rows of a plan that a later one has no more."""
    left = rows(section, after)
    return [one for one in rows(section, before) if one not in left]


def harmful(section: str, plan: Plan) -> Dict[str, str]:
    """Return the actions that stop, replace or remove something that is there, as text.

    By what they do: what is there may have got a patch meanwhile.
    """
    return dict(
        ("%(phase)s: %(item)s -> %(want)s" % one, sentence(one))
        for one in rows(section, plan)
        if "%s.%s" % (section, one["phase"]) in HARMFUL and one["is"] not in NOTHING
    )


def reasons_of(name: str, state: Dict[str, Any]) -> List[str]:
    """Return why a section may not act, as sentences."""
    errors = ["%s could not look at the host: %s" % (name, state["error"])] if state["error"] else []
    return list(state["problems"]) + errors + list(state["refused"])
