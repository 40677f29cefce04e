"""The lab's command line: up, down, status, shell, build."""

import argparse
import importlib
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from lab import cluster, engine, images, nodes
from lab.run import CACHE, LabError, lock, say

# Folders of the cache that are no lab's.
RESERVED = ("cache", "keys", "log", "rootfs", "sources", "ssh", "upstream", "wheels")


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        COMMANDS[options.command](options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python3 -m lab", description=sys.modules["lab"].__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a lab, building what it needs")
    up.add_argument("--recreate", action="store_true", help="replace nodes that an older recipe made")
    down = commands.add_parser("down", help="remove a lab")
    shell = commands.add_parser("shell", help="log in to a node")
    shell.add_argument("node")
    build = commands.add_parser("build", help="build the images and the upstream tree, start nothing")
    commands.add_parser("status", help="list every lab's containers")
    for command in (up, down, shell):
        command.add_argument("--name", default="site", type=lab_name, help="which lab (default: site)")
    for command in (up, build):
        command.add_argument("nodes", nargs="*", metavar="NODE", help="PLATFORM or NODE=PLATFORM (default: all)")
        command.add_argument("--no-upstream", action="store_true", help="leave the stand-in internet out")
        command.add_argument("--docker-29", action="store_true", help="have Docker 29 there too, compiled once")
    return top


def lab_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", text) or text in RESERVED:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a lab: use lower-case letters, digits and underscores"
        )
    return text


def prepare(options: argparse.Namespace) -> tuple[dict[str, str], Path | None]:
    """Everything a lab is started from: an engine, the images, the upstream tree."""
    wanted = nodes.parse(options.nodes)
    engine.ensure()
    compiled = part("docker_29").ensure(images.ensure) if options.docker_29 else None
    with lock("build"), ThreadPoolExecutor() as pool:
        tree = None if options.no_upstream else pool.submit(part().ensure, CACHE, images.ensure, compiled)
        images.ensure_all([*sorted(set(wanted.values())), "dns", *([] if options.no_upstream else ["upstream"])])
        return wanted, tree.result() if tree else None


def part(name: str = "") -> ModuleType:
    """What builds the tree that the stand-in internet serves, or a part of that."""
    return importlib.import_module(f"lab.upstream.{name}".rstrip("."))


def up(options: argparse.Namespace) -> None:
    start = time.monotonic()
    wanted, tree = prepare(options)
    with lock(f"lab-{options.name}"):
        print(cluster.up(options.name, wanted, tree, options.recreate))
    say(f"lab {options.name} is up after {time.monotonic() - start:.0f} s")
    say(f"its ssh configuration: {cluster.folder(options.name) / 'ssh_config'}")


def down(options: argparse.Namespace) -> None:
    if engine.answers():
        with lock(f"lab-{options.name}"):
            cluster.down(options.name)
    say(f"lab {options.name} is gone")


def status(options: argparse.Namespace) -> None:
    print(cluster.status() if engine.answers() else "no lab is up: no Docker engine answers")


def shell(options: argparse.Namespace) -> None:
    config = cluster.folder(options.name) / "ssh_config"
    if not config.exists():
        raise LabError(f"lab {options.name} is not up: start it with `python3 -m lab up --name {options.name}`")
    os.execvp("ssh", ("ssh", "-F", str(config), options.node))


def build(options: argparse.Namespace) -> None:
    prepare(options)
    print(images.size())


COMMANDS = {"up": up, "down": down, "status": status, "shell": shell, "build": build}
