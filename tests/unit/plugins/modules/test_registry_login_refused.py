"""A login that a registry refuses, as an admin reads it: who, where and why, and no password."""

import base64
import http.server
import json
import subprocess
import threading

import pytest

GOOD = base64.b64encode(b"slipway:right-secret").decode()


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["Authorization"] == f"Basic {GOOD}" else 401)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def address():
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def log_in(address, password):
    """Run the module on this machine, in check mode; return what Ansible prints."""
    login = {"address": address, "account": "slipway", "password": password, "fingerprint": "f", "tls": False}
    arguments = json.dumps({"user": "root", "logins": [login]})
    command = ["ansible", "localhost", "--connection=local", "--check", "-m", "slipway.node.registry_login"]
    run = subprocess.run([*command, "-a", arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # YAML breaks long lines.
    return run.returncode, " ".join(run.stdout.split())


def test_names_are_shown_and_the_password_is_not(address):
    code, shown = log_in(address, "wrong-secret")
    assert code == 2
    assert f"{address} does not let root in as slipway: it answers 401, so it does not take the password" in shown
    assert "wrong-secret" not in shown
