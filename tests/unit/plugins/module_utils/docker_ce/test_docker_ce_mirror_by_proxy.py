"""A mirror that is reached by the proxy of the host's own apt.conf alone, asked by the real apt."""

import http.server
import shutil
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import mirror
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import DEBIAN, made

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="there is no apt here")


@pytest.fixture
def proxy():
    """A proxy that knows no mirror, and notes what it is asked for."""

    asked = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_the_host_s_own_proxy_counts(proxy, tmp_path, monkeypatch):
    url, asked = proxy
    # In the place of /etc/apt/apt.conf, which is this machine's.
    (tmp_path / "apt.conf").write_text(f'Acquire::http::Proxy "{url}";\n')
    monkeypatch.setenv("APT_CONFIG", f"{tmp_path}/apt.conf")
    run = Run(Host(), DEBIAN)
    run.want = made(mirrors=["http://mirror.example.org/docker-ce"])
    answer = mirror.ask(run, run.want["mirrors"][0], [])
    assert "http://mirror.example.org/docker-ce/linux/debian/dists/bookworm/InRelease" in asked
    assert answer["reason"].startswith("404")
