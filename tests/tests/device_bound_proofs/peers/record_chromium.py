#!/usr/bin/env python3
"""Lets Chromium register keys and refresh, and prints its proofs as lines for `independent.py`.

    record_chromium.py LOGINS REFRESHES >chromium.jsonl

Half of the logins ask for ES256 and half for RS256; each is followed by so many refreshes. Needs `chromium`, `openssl`
and Python's `cryptography`. The keys stay in the browser's profile, which is thrown away.
"""

import base64
import hashlib
import http.server
import json
import secrets
import ssl
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
import independent

HOST = "app.test"
COOKIE = "Path=/; Secure; HttpOnly; SameSite=Lax"
FEATURES = "DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
ENDED = {"session_identifier": "session", "continue": False}
SESSION = {
    "session_identifier": "session",
    "refresh_url": "/refresh",
    "scope": {"include_site": False, "scope_specification": [{"type": "exclude", "domain": "*", "path": "/free"}]},
    "credentials": [{"type": "cookie", "name": "__Host-bound", "attributes": COOKIE}],
}
# Each request in scope lets the browser refresh, as the cookie has less than two minutes left. The last refresh ends the
# session: if one were under way while the next key is registered, its answer would bring the old key back.
PAGE = """<!doctype html><title>%(name)s</title><script>
(async () => {
  for (let waited = 0; !(await (await fetch('/free/registered?%(number)d')).json()) && waited < 50; waited++)
    await new Promise(resolve => setTimeout(resolve, 100));
  for (let tries = 0; await (await fetch('/free/refreshes')).json() < %(refreshes)d && tries < 10 * %(refreshes)d; tries++) {
    await fetch('/page');
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  location.href = '/login/%(next)d';
})()</script>"""


class Recorder:
    def __init__(self, logins, refreshes):
        self.logins, self.refreshes = logins, refreshes
        self.challenges, self.proofs = set(), []
        self.key = None
        self.refreshed = 0
        self.done = threading.Event()

    def challenge(self):
        challenge = secrets.token_urlsafe(18)
        self.challenges.add(challenge)
        return challenge

    def register(self, value):
        assert independent.verify(value) in self.challenges, "a challenge of ours"
        header = json.loads(independent.decode(independent.field(value).split(".")[0]))
        self.key = header["jwk"]
        self.proofs.append({"value": value})

    def refresh(self, value):
        assert independent.verify(value, independent.Members(self.key.items())) in self.challenges, "a challenge of ours"
        self.refreshed += 1
        self.proofs.append({"value": value, "key": self.key})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        recorder = self.server.recorder
        if self.path.startswith("/login/"):
            number = int(self.path.rsplit("/", 1)[1])
            if number >= recorder.logins:
                recorder.done.set()
                return self.answer(200, b"done", "text/html")
            name = "ES256" if number % 2 == 0 else "RS256"
            recorder.key, recorder.refreshed = None, 0
            offer = f'({name});path="/register";challenge="{recorder.challenge()}";authorization="code {number}"'
            page = PAGE % {"name": name, "number": number, "refreshes": recorder.refreshes, "next": number + 1}
            return self.answer(200, page.encode(), "text/html", [("Secure-Session-Registration", offer)])
        if self.path.startswith("/free/registered"):
            return self.answer(200, json.dumps(recorder.key is not None).encode(), "application/json")
        if self.path == "/free/refreshes":
            return self.answer(200, str(recorder.refreshed).encode(), "application/json")
        self.answer(200, b"page", "text/html")

    def do_POST(self):
        recorder = self.server.recorder
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        next_challenge = f'"{recorder.challenge()}";id="session"'
        value = self.headers.get("Secure-Session-Response")
        if value is None:
            return self.answer(403, b"", "text/plain", [("Secure-Session-Challenge", next_challenge)])
        (recorder.register if self.path == "/register" else recorder.refresh)(value)
        if recorder.refreshed == recorder.refreshes:
            return self.answer(200, json.dumps(ENDED).encode(), "application/json")
        headers = [("Set-Cookie", f"__Host-bound={secrets.token_hex(8)}; {COOKIE}; Max-Age=60")]
        if self.path == "/refresh":
            headers.append(("Secure-Session-Challenge", next_challenge))
        self.answer(200, json.dumps(SESSION).encode(), "application/json", headers)


def serve(folder, recorder):
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out certificate -days 2"
    name = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(["openssl", *command.split(), *name], check=True, capture_output=True, cwd=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.recorder = recorder
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/certificate", f"{folder}/key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    public = subprocess.run("openssl x509 -in certificate -pubkey -noout | openssl pkey -pubin -outform der",
                            shell=True, check=True, capture_output=True, cwd=folder).stdout
    return server.server_address[1], base64.b64encode(hashlib.sha256(public).digest()).decode()


def main(logins, refreshes):
    recorder = Recorder(logins, refreshes)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        port, fingerprint = serve(folder, recorder)
        browser = subprocess.Popen([
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}/profile",
            f"--ignore-certificate-errors-spki-list={fingerprint}", f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
            f"--enable-features={FEATURES}", "--remote-debugging-port=0", f"https://{HOST}:{port}/login/0",
        ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            recorder.done.wait(30 + logins * (refreshes + 3))
        finally:
            browser.terminate()
            browser.wait(10)
    for line in recorder.proofs:
        print(json.dumps(line))
    if len(recorder.proofs) < logins * (refreshes + 1):
        sys.exit(f"{len(recorder.proofs)} proofs only")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(int(sys.argv[1]), int(sys.argv[2]))
