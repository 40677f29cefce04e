"""What the parts of the stand-in internet share: running commands, on all cores, and the lab's signing keys."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
FILES = Path(__file__).parent / "files"
# "apt" and "yum" sign what is good, as Docker has one key for each; "wrong" signs what must be refused.
KEY_NAMES = ("apt", "yum", "wrong")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Return what a command prints; what it complains about goes to the log."""
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def parallel(jobs: Iterable[Callable[[], Result]]) -> list[Result]:
    """Run the jobs on all cores, and return their results in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


class Keys:
    """The lab's GPG keys, without passphrases: made once, kept in a folder, and used from a keyring of this build."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        home.mkdir(mode=0o700)
        os.environ["GNUPGHOME"] = str(home)
        self.fingerprint = {name: self._load(name) for name in KEY_NAMES}
        (folder / "fingerprints").write_text("".join(f"{self.fingerprint[name]}\n" for name in ("apt", "yum")))

    def _load(self, name: str) -> str:
        secret, public, user = self.folder / f"{name}.secret", self.folder / f"{name}.asc", f"Lab stand-in, {name} key"
        gpg = ("gpg", "--batch", "--pinentry-mode=loopback", "--passphrase=")
        if secret.exists():
            run(*gpg, "--import", secret)
        else:
            run(*gpg, "--quick-generate-key", user, "rsa3072", "sign", "never")
            public.write_text(run(*gpg, "--armor", "--export", f"={user}"))
            secret.touch(mode=0o600)
            secret.write_text(run(*gpg, "--armor", "--export-secret-keys", f"={user}"))
        listing = run("gpg", "--batch", "--with-colons", "--list-secret-keys", f"={user}")
        return str(re.findall(r"^fpr:+([0-9A-F]{40}):", listing, re.MULTILINE)[0])

    def public(self, name: str) -> str:
        """Return the armored public key."""
        return (self.folder / f"{name}.asc").read_text()

    def sign(self, name: str, how: str, path: Path) -> str:
        """Return a file signed: `how` is --clearsign or --detach-sign."""
        return run("gpg", "--batch", "--armor", f"--local-user={self.fingerprint[name]}", "--output=-", how, path)
