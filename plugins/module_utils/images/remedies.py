"""Errors of docker, skopeo and singularity: what they mean, and what to do."""

import re

# What registries, skopeo and docker say of an image that is not there: a code of the API, or HTTP's status.
MISSING = re.compile(
    r"\b(manifest|name) unknown\b|\b(artifact|repository|manifest|tag)( for)? \S+ not found\b|"
    r"[^\s:]+:[^\s:]+: not found$|\b(HTTP|HTTP status|status|status ?code):? 404\b",
    re.I,
)
UNREACHABLE = "the registry cannot be reached from this host: does it run, does its name resolve, is there a firewall?"
# What goes wrong between hosts and registries, and what to do; the first that fits counts.
_REMEDIES = (
    (
        r"toomanyrequests|rate limit|\b429\b",
        "the registry answers so many times an hour alone: log in with registry_client_logins, or pull through a cache "
        "(docker_daemon_registry_mirrors, images_mirrors), or run again later",
    ),
    (
        r"certificate signed by unknown authority|certificate verify failed|x509:",
        "this host does not trust the registry's certificate: run the role registry with tasks_from: client here",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP: list it in docker_daemon_insecure_registries and images_insecure_registries",
    ),
    (
        r"no basic auth credentials|unauthorized|authentication required|denied|invalid username/password",
        "the registry asks for an account: log root in with registry_client_logins, or name a file of logins in "
        "images_authfile",
    ),
    (
        r"no space left on device",
        "the disk is full: free some (`docker system df`), or move docker's data-root, with containerd's image store "
        "/var/lib/containerd",
    ),
    (
        r"cannot connect to the docker daemon|docker: not found|docker[^a-z]*no such file",
        "no Docker engine answers on this host: install it with the role docker_ce, or see `systemctl status docker`",
    ),
    (MISSING.pattern + "|reference does not exist|no such image", "there is no such image: correct the reference"),
    (r"no (image|match).*platform|no matching manifest", "the image is not made for this host's platform"),
    (
        r"connection refused|no such host|i/o timeout|timed? ?out|network is unreachable|no route to host",
        UNREACHABLE,
    ),
)


def remedy(text: str) -> str:
    """Return what an error of docker, skopeo or singularity means and what to do; empty where it is not known."""
    for pattern, advice in _REMEDIES:
        if re.search(pattern, text, re.I):
            return advice
    return ""


def with_remedy(text: str) -> str:
    """Return an error of docker, skopeo or singularity with what it means and what to do."""
    message = last_error(text)
    advice = remedy(message)
    return "%s -- %s%s." % (message, advice[0].upper(), advice[1:]) if advice else message


def last_error(text: str) -> str:
    """Return the error in what a command said, without the decoration of a log."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match = re.search(r'msg="(.*)"', lines[-1]) if lines else None
    return (match.group(1).replace('\\"', '"') if match else lines[-1] if lines else "no answer")[:500]
