#!/usr/bin/env python3
"""A stream of webhooks at a deployment on a cluster for tests while its pods are killed, its roles rolled and its database restarted:
what was acknowledged is stored, makes one run each, every run ends, and no slot is left held.

deploy/drill.py --url URL --ck8s PROGRAM --image IMAGE [--count 2000] [--rate 20] [--runs-every 10] [--steps kill,roll,postgres]
                [--namespace ck8s]

A webhook is sent again until it is acknowledged. Every tenth asks for a run; the others are stored and ignored, since each run is a pod:
with --runs-every 1 the node decides how long it takes. Steps: kill (each pod, at once), roll (each workload), postgres (its pod deleted);
or a path, of a program that does something else to the deployment, such as an upgrade.
CK8S_TOKEN is an admin's token, KUBECONFIG the cluster. It ends with figures, and with status 1 if anything was lost.
"""

import argparse
import collections
import hashlib
import hmac
import http.client
import json
import secrets
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

SENDERS = 16
PATIENCE = 300  # seconds for anything to come back
PROJECT = "drill"
UNAVAILABLE = 5  # what ck8s ends with while the server cannot be reached
ROLES = ("edge", "ingress", "runs", "repositories", "auth")


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


class Stream:
    """The webhooks, who sends them, and what was answered."""

    def __init__(self, args, repository, secret):
        url = urllib.parse.urlsplit(args.url)
        self.args, self.address, self.secret = args, (url.hostname, url.port or 80), secret
        self.repository = repository
        self.lock, self.next, self.stop = threading.Lock(), 0, threading.Event()
        self.acknowledged, self.wants_run = {}, set()  # delivery: when
        self.answers, self.longest_wait = collections.Counter(), 0.0
        self.started = time.monotonic()
        self.steps = [(self.started, "before")]  # since when, what
        self.threads = [threading.Thread(target=self.send_all, daemon=True) for _ in range(SENDERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def body(self, number, runs):
        name = self.repository["full_name"]
        return json.dumps({
            "action": "labeled",
            "label": {"name": "run" if runs else "other"},
            "issue": {"number": number + 1, "title": f"Issue {number + 1}", "labels": []},
            "repository": {"id": int(self.repository["external_id"]), "full_name": name, "default_branch": "main"},
            "sender": {"login": "drill", "id": 1, "type": "User"},
        }).encode()

    def send_all(self):
        connection = None
        while True:
            with self.lock:
                number, enough = self.next, self.next >= self.args.count
                if enough and self.stop.is_set():
                    return
                self.next += 1
            due = self.started + number / self.args.rate
            while (wait := due - time.monotonic()) > 0:
                if enough and self.stop.wait(min(wait, 0.2)):
                    return
                if not enough:
                    time.sleep(wait)
            connection = self.send(number, connection)

    def send(self, number, connection):
        delivery, runs = str(uuid.uuid4()), number % self.args.runs_every == 0
        body, first = self.body(number, runs), time.monotonic()
        signature = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "issues",
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signature,
        }
        while True:
            try:
                connection = connection or http.client.HTTPConnection(*self.address, timeout=10)
                connection.request("POST", "/api/v1/webhooks/github", body, headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
                hint = answer.headers.get("Retry-After")
            except (OSError, http.client.HTTPException) as fault:
                status, hint = type(fault).__name__, None
                if connection:
                    connection.close()
                connection = None
            now = time.monotonic()
            with self.lock:
                self.answers[status if status != 503 or hint else "503 without Retry-After"] += 1
                self.longest_wait = max(self.longest_wait, now - first)
                if status in (200, 202):
                    self.acknowledged[delivery] = now
                    if runs:
                        self.wants_run.add(delivery)
                    return connection
            if now - first > PATIENCE:
                with self.lock:
                    self.answers["given up"] += 1
                return connection
            time.sleep(0.1)

    def enter(self, step):
        """What is sent from now on is sent during `step`."""
        say(step)
        with self.lock:
            self.steps.append((time.monotonic(), step))

    def gaps(self):
        """The longest time without an acknowledgement, and during which step it began, longest first."""
        times, steps, longest = sorted(self.acknowledged.values()), self.steps, {}
        for earlier, later in zip(times, times[1:]):
            step = max((since, name) for since, name in steps if since <= earlier)[1]
            longest[step] = max(longest.get(step, 0.0), later - earlier)
        return sorted(((gap, step) for step, gap in longest.items()), reverse=True)


class Cluster:
    """What is done to the deployment."""

    def __init__(self, namespace, stream, faults):
        self.namespace, self.stream, self.faults = namespace, stream, faults

    def run(self, *words):
        done = subprocess.run(["kubectl", "-n", self.namespace, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"error: kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def pods(self, component):
        return self.run("get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "name").split()

    def serves(self, workload):
        self.run("rollout", "status", workload, f"--timeout={PATIENCE}s")

    def restarts(self):
        pods = json.loads(self.run("get", "pods", "-o", "json"))["items"]
        ours = [
            pod for pod in pods
            if pod["metadata"]["labels"].get("app.kubernetes.io/component") in (*ROLES, "worker")
            # One that is being replaced ends by itself.
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return {
            pod["metadata"]["name"]: status["restartCount"]
            for pod in ours
            for status in pod["status"].get("containerStatuses", [])
        }

    def kill(self):
        """Each pod, without a chance to drain."""
        for component in (*ROLES, "worker"):
            for pod in self.pods(component):
                self.stream.enter(f"kill {pod}")
                self.run("delete", pod, "--grace-period=0", "--force", "--wait=false")
                self.serves(workload_of(component))

    def roll(self):
        """Each workload, pod by pod."""
        for component in (*ROLES, "worker"):
            self.stream.enter(f"roll {component}")
            self.run("rollout", "restart", workload_of(component))
            self.serves(workload_of(component))

    def postgres(self):
        """Its pod; the roles outlive it."""
        before = self.restarts()
        self.stream.enter("delete postgres-0")
        self.run("delete", "pod/postgres-0")
        self.serves("statefulset/postgres")
        for role in ROLES:
            self.serves(workload_of(role))
        after = self.restarts()
        fell = [pod for pod, count in before.items() if after.get(pod) != count]
        if fell:
            self.faults.append(f"did not outlive the database: {', '.join(fell)}")

    def do(self, step):
        if "/" not in step:
            getattr(self, step)()
            return
        self.stream.enter(step.rsplit("/", 1)[1])
        if subprocess.run([step], stdout=sys.stderr, check=False).returncode:
            self.faults.append(f"{step} failed")


def workload_of(component):
    return f"{'statefulset' if component == 'worker' else 'deployment'}/{component}"


class Ck8s:
    """The command line, as an admin."""

    def __init__(self, args):
        self.program, self.url = args.ck8s, args.url

    def __call__(self, *words, text=None, fails=False):
        command = [self.program, *words, "--url", self.url, "-o", "json"]
        until = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            if done.returncode != UNAVAILABLE or time.monotonic() > until:
                break
            time.sleep(1)
        if done.returncode and not fails:
            raise SystemExit(f"error: ck8s {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.returncode == 0 else None


def make_repository(ck8s, image):
    ck8s("project", "create", PROJECT, fails=True)
    ck8s("slot", "set", PROJECT, "8")
    services = {
        "version": 1,
        "triggers": [{
            "name": "drill",
            "on": {"event": "issues", "actions": ["labeled"], "labels": ["run"]},
            "run": {"image": image, "command": ["true"], "max_attempts": 5, "labels": ["kubernetes"],
                    "resources": {"cpu": "10m", "memory": "32Mi"}},
        }],
    }
    name, number = f"drill/{secrets.token_hex(6)}", 7_000_000_000_000_000 + secrets.randbelow(10**12)
    return ck8s("repo", "add", name, "--project", PROJECT, "--external-id", str(number), "--services-file", "-",
                text=json.dumps(services))


def runs_ended(ck8s, repository):
    """Every run of the repository, once none waits or runs, or nothing has changed for long."""
    fewest, until = None, 0.0
    while True:
        runs = ck8s("run", "list", "--repo", repository, "--limit", "0")
        busy = [run for run in runs if run["state"] in ("RUN_STATE_PENDING", "RUN_STATE_RUNNING")]
        slots = [slot for slot in ck8s("slot", "list", "--project", PROJECT, "--limit", "0") if slot["run_id"]]
        left = (len(busy), len(slots))
        if fewest is None or left < fewest:
            fewest, until = left, time.monotonic() + PATIENCE
        if not (busy or slots) or time.monotonic() > until:
            return runs, busy, slots
        time.sleep(1 + len(busy) / 100)


def account(ck8s, stream, faults):
    """What was acknowledged against what is there."""
    repository = stream.repository["id"]
    runs, busy, slots = runs_ended(ck8s, repository)
    deliveries = {d["delivery_id"]: d for d in ck8s("delivery", "list", "--repo", repository, "--limit", "0")}
    lost = set(stream.acknowledged) - set(deliveries)
    waiting = [d for d in deliveries.values() if d["state"] not in ("DELIVERY_STATE_RUN_CREATED", "DELIVERY_STATE_IGNORED")]
    made = {d["run_id"] for d in deliveries.values() if d["run_id"]}
    for words, wrong in (
        ("acknowledged and not stored", lost),
        ("stored and not handled", waiting),
        ("asked for a run and made none", [d for d in stream.wants_run if not deliveries.get(d, {}).get("run_id")]),
        ("runs that no delivery made", [run["id"] for run in runs if run["id"] not in made]),
        ("runs more or fewer than deliveries that made one", [1] * abs(len(runs) - len(made))),
        ("runs that have not ended", busy),
        ("runs that did not succeed", [r for r in runs if r["state"] not in ("RUN_STATE_SUCCEEDED",) and r not in busy]),
        ("slots still held", slots),
    ):
        if wrong:
            faults.append(f"{len(wrong)} {words}")
            for one in list(wrong)[:3]:
                say(f"{words}: {json.dumps(one)[:600]}")
    return len(runs), sum(run["attempt"] > 1 for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ck8s", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--runs-every", type=int, default=10)
    parser.add_argument("--steps", default="kill,roll,postgres")
    parser.add_argument("--namespace", default="ck8s")
    args = parser.parse_args()
    ck8s, faults = Ck8s(args), []
    added = make_repository(ck8s, args.image)
    stream = Stream(args, added["repository"], added["webhook_secret"])
    cluster = Cluster(args.namespace, stream, faults)
    try:
        stream.start()
        for step in args.steps.split(","):
            cluster.do(step)
        stream.enter("after")
        stream.stop.set()
        stream.join()
        took = time.monotonic() - stream.started
        say("counting")
        runs, again = account(ck8s, stream, faults)
    finally:
        ck8s("repo", "remove", added["repository"]["full_name"], fails=True)
    for status in ("given up", "503 without Retry-After"):
        if stream.answers[status]:
            faults.append(f"{stream.answers[status]} answers: {status}")
    print(f"{len(stream.acknowledged)} webhooks acknowledged in {took:.0f} s, {runs} runs, {again} of them in a second attempt")
    print("answers: " + ", ".join(f"{status}: {count}" for status, count in sorted(stream.answers.items(), key=str)))
    print(f"longest that one webhook took: {stream.longest_wait:.2f} s")
    for gap, step in stream.gaps()[:5]:
        print(f"longest time without an acknowledgement: {gap:.2f} s ({step})")
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
