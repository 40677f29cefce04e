"""What ``registry_client`` does besides what its plan says: logins."""

from typing import List

from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.registry_client import login


def log_in(run: Run, actions: List[Action]) -> None:
    """Let each user have the wanted logins and no others of ours, as well as that goes."""
    failures = []
    for user in dict.fromkeys(one["user"] for one in actions):
        logins = [
            dict(one, password=run.secrets["registry_passwords"][one["account"]])
            for one in run.want["logins"]
            if one["user"] == user
        ]
        try:
            login.set_logins(run, user, logins)
        except Failed as failed:
            failures.append(str(failed))
    if failures:
        raise Failed("\n".join(failures))


# Of a user for whom none is wanted.
log_out = log_in
