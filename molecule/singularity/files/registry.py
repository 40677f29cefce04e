"""A registry that asks for a name and a password, those of the node's own file; it hands on to the lab's Docker Hub."""

import http.server
import json
import urllib.error
import urllib.request

ADDRESS = ("127.0.0.1", 5055)
UPSTREAM = "http://upstream:5000"
with open("/etc/slipway/singularity-auth.json") as file:
    WANTED = "Basic " + json.load(file)["auths"][":".join(map(str, ADDRESS))]["auth"]


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != WANTED:
            return self.answer(401, {"WWW-Authenticate": 'Basic realm="lab"'}, b"{}")
        headers = {"Accept": ", ".join(self.headers.get_all("Accept") or ["*/*"])}
        try:
            with urllib.request.urlopen(urllib.request.Request(UPSTREAM + self.path, headers=headers)) as found:
                return self.answer(found.status, found.headers, found.read())
        except urllib.error.HTTPError as error:
            return self.answer(error.code, error.headers, error.read())

    do_HEAD = do_GET

    def answer(self, status, headers, body):
        self.send_response(status)
        for name in ("WWW-Authenticate", "Content-Type", "Docker-Content-Digest"):
            if headers.get(name):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


http.server.ThreadingHTTPServer(ADDRESS, Registry).serve_forever()
