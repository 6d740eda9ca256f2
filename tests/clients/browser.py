"""A real browser at the router: pages that may not use it, and pages whose origin the rules name.

    just browser

needs Chromium and the SDK that `just clients` installs. The browser opens pages of a small server of our own, on another port
and under another name than the router's; each page tries all it can and reports what it saw.
"""

import functools
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import run

NODE_MODULES = run.ROOT / "target/clients/node_modules"
ASKED = []
REPORTS = queue.Queue()


class Provider(run.Provider):
    def do_POST(self):
        ASKED.append(self.path)
        super().do_POST()


class Pages(http.server.SimpleHTTPRequestHandler):
    """The pages, the SDK's own modules, and where reports go."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path.startswith("/node_modules/"):
            self.path = self.path.removeprefix("/node_modules")
            return super().do_GET()
        name = "named.html" if self.path.startswith("/named") else "foreign.html"
        self.answer((pathlib.Path(__file__).parent / name).read_bytes(), "text/html")

    def do_POST(self):
        REPORTS.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(b"", "text/plain")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def router(provider, rules, folder):
    (folder / "rules.yaml").write_text(rules.format(provider=provider))
    command = [run.ROOT / "target/debug/rulegate", "run", "--listen", "127.0.0.1:0", "--rules", folder / "rules.yaml"]
    environment = {"PATH": os.environ["PATH"], "PAGE_KEY": "page-key"}
    process = subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"listening on http://127.0.0.1:([0-9]+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found[1])
    sys.exit("the router does not listen")


def visit(url, folder):
    """What the page at `url` reports."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("there is no Chromium")
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    names = ["--host-resolver-rules=MAP *.example 127.0.0.1", f"--user-data-dir={folder}", "--remote-debugging-port=0"]
    process = subprocess.Popen([browser, "--headless", "--no-sandbox", *quiet, *names, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return REPORTS.get(timeout=120)
    finally:
        process.terminate()
        process.wait()


RULES = """
include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
%s
providers: {{ only: {{ speaks: openai.chat, url: "{provider}", key: k }} }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
  - {{ path: /v1/models, method: GET, answer: {{ data: [] }} }}
"""


def main():
    provider = f"http://127.0.0.1:{serve(Provider)}"
    pages = serve(functools.partial(Pages, directory=NODE_MODULES))
    folder = pathlib.Path(tempfile.mkdtemp())
    running = []

    def start(name, access):
        (folder / name).mkdir()
        process, port = router(provider, RULES % access, folder / name)
        running.append(process)
        return port

    try:
        keyless = start("keyless", "")
        for host in ("127.0.0.1", "localhost", "evil.example"):
            seen = visit(f"http://{host}:{pages}/foreign?{keyless}", folder / f"as-{host}")
            assert seen["read"] == [], (host, seen)
            assert ASKED == [], (host, ASKED, seen)
            print(f"a page of http://{host}:*: {len(seen['tried'])} ways tried, nothing read, no provider asked")
        origin = f"http://localhost:{pages}"
        for name, access, key in (
            ("named", f'access: {{{{ origins: [ "{origin}" ] }}}}', "any"),
            ("keys", f'access: {{{{ keys: [ "${{{{PAGE_KEY}}}}" ], origins: [ "{origin}" ] }}}}', "page-key"),
            ("open", f'access: {{{{ open: true, origins: [ "{origin}" ] }}}}', "any"),
        ):
            ASKED.clear()
            seen = visit(f"{origin}/named?{start(name, access)}&{key}", folder / f"as-{name}")
            assert seen["failed"] is None, (name, seen)
            assert ASKED, name
            print(f"{name}: {', '.join(seen['worked'])}")
    finally:
        for process in running:
            process.terminate()
        shutil.rmtree(folder, ignore_errors=True)
    print("4 passed, 0 failed")


if __name__ == "__main__":
    main()
