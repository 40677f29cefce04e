"""The file of registries' credentials: where it is, which variable names it, and its sum."""

import hashlib

AUTH_FILE = "/etc/slipway/singularity-auth.json"
# Which variable names such a file. SingularityCE before 4.1 has none.
AUTH_VARIABLES = {"singularity-ce": "SINGULARITY_AUTHFILE", "apptainer": "APPTAINER_AUTH_FILE"}


def pbkdf2_sum(data: bytes, salt: str) -> str:
    """Return a salted sum that is slow to make, so that it tells nobody a password who tries many."""
    return hashlib.pbkdf2_hmac("sha256", data, salt.encode(), 100000).hex()
