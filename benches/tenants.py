#!/usr/bin/env python3
"""What plan, apply and export of tenants of several sizes cost: requests, time, CPU and memory.

Runs the release binary as a process of its own against `tenantctl sandbox serve --tls` as another
one, and prints a Markdown table with what was measured beside the least that is possible. Asserts
nothing about time. Python's standard library only:

    cargo build --release && python3 benches/tenants.py [--most SECONDS] [--peer DIR]

The least, by the rules of the API's lists: a list of N objects in pages of S takes R = max(1,
ceil(N / S)) requests and T = 1 round trip, or 2 where there are several pages, since the first one
tells how many there are; beyond 1,000 objects a list that knows checkpoints is read by them, so
T = R. The token takes one request and one round trip. An apply adds its writes, and the read-back
of each kind min(objects written, pages of its list). The least time is the round trips that can't
overlap times the latency, or, where a limit is set, what the requests to the Management API take
after those of the first second, whichever is more.

With --peer DIR, a folder in which auth0-deploy-cli is installed by npm, the same tenant is
previewed, imported and exported by it too. Most of its time at this size is the compilation of the
schema of all its kinds, which has nothing to do with the tenant. What it spends in its validator is
measured inside its process (TIMED is loaded before it), and `without compiling` is the time less
that. An export validates nothing.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ["resourceServers", "clients", "clientGrants"]
PAGE, WINDOW = 100, 1000
BY_CHECKPOINT = {"clientGrants"}
"""Kinds whose list is read by checkpoint beyond the window."""
SIZES = [(20, 10, 30), (200, 50, 300), (900, 200, 1500)]
LARGEST = (10_000, 0, 0)
LATENCIES = [0, 50]
LIMITS = [None, 2, 16]
EVERY = 10
"""One object in so many is changed."""
PEER_SIZE, PEER_LATENCY = (200, 50, 300), 50
TIMED = """
const Module = require('module');
const { performance } = require('perf_hooks');
let spent = 0;
const load = Module._load;
Module._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest);
  const ajv = name === 'ajv/lib/ajv' ? loaded.default || loaded : null;
  if (ajv && !ajv.isTimed) {
    ajv.isTimed = true;
    const { validate } = ajv.prototype;
    ajv.prototype.validate = function (...words) {
      const start = performance.now();
      try { return validate.apply(this, words); } finally { spent += performance.now() - start; }
    };
  }
  return loaded;
};
process.on('exit', () => console.error(`validated in ${Math.round(spent)} ms`));
"""


def definitions(size, is_changed):
    """Writes definitions as YAML; like tests/support/large.rs."""
    clients, apis, grants = size
    things = ["orders", "invoices", "parcels", "customers"]
    scopes = [{"value": f"{verb}:{thing}", "description": f"{verb} {thing}"} for thing in things for verb in ("read", "write")]
    news = lambda n: is_changed and n % EVERY == 0
    written = {
        "resourceServers": [{
            "identifier": f"https://api{n}.example/", "name": f"API {n}{' (changed)' if news(n) else ''}", "scopes": scopes,
            "signing_alg": "RS256", "token_dialect": "rfc9068_profile", "token_lifetime": 3600,
        } for n in range(apis)],
        "clients": [{
            "name": f"Worker {n}", "description": f"Moves what has come in{' (changed)' if news(n) else ''}",
            "app_type": "non_interactive", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "client_secret_post",
            "client_metadata": {"team": f"team-{n % 7}", "cost_center": "4711"},
            "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000},
        } for n in range(clients)],
        "clientGrants": [{
            "client_id": f"Worker {n % clients}", "audience": f"https://api{(n + n // clients) % apis}.example/",
            "scope": ["read:orders", "read:invoices"] if news(n) else ["read:orders", "read:parcels", "write:parcels"],
        } for n in range(grants)],
    }
    lines = []
    for kind, objects in written.items():
        lines.append(f"{kind}:{'' if objects else ' []'}\n")
        lines.extend(f"  - {json.dumps(item)}\n" for item in objects)
    return "".join(lines)


class Floor:
    """The least that a job takes."""

    def __init__(self):
        self.requests, self.rounds = 1, 1

    def then(self, requests, rounds):
        """Adds requests that have to wait for those before."""
        self.requests += requests
        self.rounds += rounds
        return self

    def ms(self, latency, limit):
        waiting = self.rounds * latency
        # The token is no request to the Management API, and those of the first second go at once.
        limited = max(0, (self.requests - 1 - limit) / limit) * 1000 if limit else 0
        return max(waiting, limited)


def pages(kind, count):
    """Gives the requests and round trips that a list takes."""
    requests = max(1, -(-count // PAGE))
    is_chain = kind in BY_CHECKPOINT and count > WINDOW
    return requests, requests if is_chain else min(requests, 2)


def counted(size):
    """Gives the length of each list: tenantctl's application and its grant, and the Management API, are in it."""
    clients, apis, grants = size
    return {"clients": clients + 1, "resourceServers": apis + 1, "clientGrants": grants + 1}


def reading(counts, floor):
    lists = [pages(kind, count) for kind, count in counts.items()]
    return floor.then(sum(requests for requests, _ in lists), max(rounds for _, rounds in lists))


def floors(size):
    full, empty = counted(size), counted((0, 0, 0))
    clients, apis, grants = size
    every = {"clients": clients, "resourceServers": apis, "clientGrants": grants}
    changed = {kind: -(-count // EVERY) for kind, count in every.items()}

    def applied(before, written, writing):
        floor = reading(before, Floor()).then(sum(written.values()), writing)
        back = [min((written[kind], 1), pages(kind, full[kind])) for kind in KINDS if written[kind]]
        return floor.then(sum(requests for requests, _ in back), max(rounds for _, rounds in back))

    return {
        "plan": reading(full, Floor()),
        "apply": applied(full, changed, 1),
        # Grants can't be made before what they are between.
        "create": applied(empty, every, 2),
    }


class Ran:
    """What a process took."""

    def __init__(self, words, env, folder):
        out, err = folder / "stdout", folder / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            start = time.monotonic()
            process = subprocess.Popen(words, env=env, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, cwd=folder)
            _, status, usage = os.wait4(process.pid, 0)
            self.ms = (time.monotonic() - start) * 1000
        process.returncode = os.waitstatus_to_exitcode(status)
        self.messages = err.read_text(errors="replace")
        if process.returncode != 0:
            sys.exit(f"{' '.join(map(str, words))}: exit status {process.returncode}\n{self.messages[-2000:]}")
        self.cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
        # Kilobytes on Linux, bytes on macOS.
        self.peak_mb = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
        sent = re.search(r"^sent (\d+) requests?\b.* in (\d+) round trips?", self.messages, re.MULTILINE)
        self.requests, self.rounds = map(int, sent.groups()) if sent else (None, None)


class Sandbox:
    """`tenantctl sandbox serve --tls`, as long as the `with` lasts."""

    def __init__(self, binary, folder, latency=0, limit=None, logs=False):
        words = [binary, "sandbox", "serve", "--tls", "--state", folder / "sandbox.json", "--latency", str(latency)]
        words += ["--rate-limit", str(limit)] if limit else []
        words += ["-vv"] if logs else []
        self.log = folder / "sandbox.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, cwd=folder)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the sandbox did not start: {self.log.read_text()}")
        self.ready = json.loads(line)

    def requests(self):
        """Counts the lines of the log: one a request."""
        return len(re.findall(r" (?:GET|POST|PUT|PATCH|DELETE) /\S+ \d{3}$", self.log.read_text(), re.MULTILINE))

    def env(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTH0_")}
        return kept | {"AUTH0_CLIENT_ID": self.ready["client_id"], "AUTH0_CLIENT_SECRET": self.ready["client_secret"]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, binary, most):
        self.binary, self.most = binary, most

    def run(self, sandbox, folder, verb, size, is_changed, *options):
        (folder / "tenant.yaml").write_text(definitions(size, is_changed))
        domain = json.dumps(sandbox.ready["domain"])
        (folder / "tenantctl.yaml").write_text(
            f"version: 1\ndefinitions: tenant.yaml\nenvironments:\n  bench: {{ tenant: {domain} }}\n")
        words = [self.binary, verb, "-v", "-e", "bench", "--ca-bundle", sandbox.ready["ca"], *options]
        return Ran(words, sandbox.env(), folder)

    def export(self, sandbox, folder, size):
        only = [word for kind in KINDS for word in ("--only", kind)]
        return self.run(sandbox, folder, "export", size, False, "--out", "exported", "--force", *only)

    def row(self, job, size, latency, limit, floor, run):
        """Prints a row, unless even the least would take too long; tells whether the job was done."""
        floor_ms = floor.ms(latency, limit)
        name = f"{job} | {'/'.join(map(str, size))} | {latency} | {limit or 'none'}"
        if floor_ms > self.most * 1000:
            print(f"| {name} | skipped: at least {floor.requests} requests, {floor_ms / 1000:.0f} s | | | | | | | |", flush=True)
            return False
        if limit:
            # What ran before has used the limit up: begin with a full one.
            time.sleep(1.2)
        ran = run()
        cells = [ran.requests, floor.requests, ran.rounds, floor.rounds, f"{ran.ms:.0f}", f"{floor_ms:.0f}", f"{ran.cpu_ms:.0f}", f"{ran.peak_mb:.1f}"]
        print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)
        return True

    def filled(self, folder, size):
        """Makes a tenant of a size, once, without latency."""
        with Sandbox(self.binary, folder) as sandbox:
            self.run(sandbox, folder, "apply", size, False, "--yes")
        return folder / "sandbox.json"

    def size(self, size, plans_only):
        least = floors(size)
        with tempfile.TemporaryDirectory() as made:
            state = self.filled(Path(made), size)
            for latency in LATENCIES:
                for limit in LIMITS:
                    with tempfile.TemporaryDirectory() as folder:
                        folder = Path(folder)
                        shutil.copy(state, folder / "sandbox.json")
                        with Sandbox(self.binary, folder, latency, limit) as sandbox:
                            self.jobs(sandbox, folder, size, latency, limit, least, plans_only)
                    if not plans_only:
                        with tempfile.TemporaryDirectory() as folder:
                            folder = Path(folder)
                            with Sandbox(self.binary, folder, latency, limit) as sandbox:
                                create = lambda: self.run(sandbox, folder, "apply", size, False, "--yes")
                                self.row("create from empty", size, latency, limit, least["create"], create)

    def jobs(self, sandbox, folder, size, latency, limit, least, plans_only):
        row = lambda job, floor, run: self.row(job, size, latency, limit, least[floor], run)
        run = lambda verb, is_changed, *options: self.run(sandbox, folder, verb, size, is_changed, *options)
        row("plan, unchanged", "plan", lambda: run("plan", False))
        row("plan, 10% changed", "plan", lambda: run("plan", True))
        if not plans_only:
            is_applied = row("apply, 10% changed", "apply", lambda: run("apply", True, "--yes"))
            row("apply again", "plan", lambda: run("apply", is_applied, "--yes"))
            row("export", "plan", lambda: self.export(sandbox, folder, size))


def peer(bench, where):
    """Does the same jobs by the Deploy CLI and by tenantctl."""
    command = Path(where).resolve() / "node_modules" / ".bin" / "a0deploy"
    print(f"\n{'/'.join(map(str, PEER_SIZE))}, {PEER_LATENCY} ms, by the Deploy CLI and by tenantctl:\n")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        bench.filled(folder, PEER_SIZE)
        with Sandbox(bench.binary, folder, PEER_LATENCY, logs=True) as sandbox:
            env = sandbox.env() | {
                "AUTH0_DOMAIN": sandbox.ready["domain"],
                "NODE_EXTRA_CA_CERTS": sandbox.ready["ca"],
                "AUTH0_INCLUDED_ONLY": json.dumps(KINDS),
            }

            def theirs(*words):
                before = sandbox.requests()
                ran = Ran([command, *words], env, folder)
                ran.requests = sandbox.requests() - before
                ran.compiling = int(re.search(r"^validated in (\d+) ms$", ran.messages, re.MULTILINE).group(1))
                return ran

            (folder / "timed.js").write_text(TIMED)
            env["NODE_OPTIONS"] = f"--require {folder / 'timed.js'}"
            ours = lambda verb, *options: bench.run(sandbox, folder, verb, PEER_SIZE, False, *options)
            jobs = [
                ("preview", lambda: ours("plan"), lambda: theirs("import", "--dry-run", "-i", "tenant.yaml")),
                ("import, unchanged", lambda: ours("apply", "--yes"), lambda: theirs("import", "-i", "tenant.yaml")),
                ("export", lambda: bench.export(sandbox, folder, PEER_SIZE),
                 lambda: theirs("export", "-f", "yaml", "-o", "theirs")),
            ]
            head("job", "its requests", "ours", "ratio", "its ms", "ours", "ratio", "its ms without compiling", "ratio",
                 "its CPU ms", "ours", "its peak MB", "ours")
            for name, us, them in jobs:
                us, them = us(), them()
                rest = them.ms - them.compiling
                cells = [name, them.requests, us.requests, f"{them.requests / us.requests:.1f}", f"{them.ms:.0f}",
                         f"{us.ms:.0f}", f"{them.ms / us.ms:.1f}", f"{rest:.0f}", f"{rest / us.ms:.1f}",
                         f"{them.cpu_ms:.0f}", f"{us.cpu_ms:.0f}", f"{them.peak_mb:.0f}", f"{us.peak_mb:.0f}"]
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


def head(*cells):
    print(f"| {' | '.join(cells)} |\n|{' --- |' * len(cells)}", flush=True)


def size_of(text):
    clients, apis, grants = map(int, text.split("/"))
    return clients, apis, grants


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=ROOT / "target/release/tenantctl", type=Path)
    parser.add_argument("--most", metavar="SECONDS", default=60, type=float, help="skip a row that takes at least so long")
    parser.add_argument("--peer", metavar="DIR", help="where auth0-deploy-cli is installed")
    parser.add_argument("--size", metavar="APPS/APIS/GRANTS", action="append", type=size_of, help="these sizes only")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary} is missing: cargo build --release")
    bench = Bench(binary, arguments.most)
    head("job", "applications/APIs/grants", "latency, ms", "limit, 1/s", "requests", "least", "round trips", "least",
         "ms", "least", "CPU, ms", "peak, MB")
    for size in arguments.size or [*SIZES, LARGEST]:
        bench.size(size, plans_only=size == LARGEST)
    if arguments.peer:
        peer(bench, arguments.peer)


if __name__ == "__main__":
    main()
