#!/usr/bin/env python3
"""Replays the recordings of AWS that a `stepwell` binary can be held to, and compares with the committed baselines.

    run.py --corpus DIR --stepwell FILE [--write] [--only TEXT] [--report FILE]

Which recordings those are is computed from the files' text: see `eligible`. The corpus and its runner (replay.py,
lambda_stub.py, compare.py) are not part of this repository. Exit status 0: every id of baseline-outcome.json and
baseline-history.json passes at its grade. --write writes both baselines anew from what passed.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BASELINES = {grade: HERE / ("baseline-%s.json" % grade) for grade in ("outcome", "history")}

# The account of the recordings: it stands in a few inputs, too, outside of ARNs.
ACCOUNT = "111111111111"

# What no file of the set may say: features that are not built yet. A test of one state has mocks in their place.
NOT_YET = ("DISTRIBUTED",)

# The actions a file of the set may call.
ACTIONS = frozenset("""
    create_state_machine update_state_machine delete_state_machine describe_state_machine list_state_machines
    start_execution stop_execution describe_execution list_executions get_execution_history
    describe_state_machine_for_execution send_task_success send_task_failure send_task_heartbeat
    start_sync_execution validate_state_machine_definition tag_resource untag_resource list_tags_for_resource
    publish_state_machine_version list_state_machine_versions delete_state_machine_version
    create_state_machine_alias update_state_machine_alias describe_state_machine_alias list_state_machine_aliases
    delete_state_machine_alias test_state
    create_activity describe_activity list_activities delete_activity get_activity_task
""".split())


# An activity needs no service, and this run brings its worker.
ACTIVITIES = ("activity", "activity-worker")
# How long the worker has each task, in seconds: longer than the one recording allows in which a task times out.
WORK = 6


def is_lambda(need):
    return need == "lambda" or need.startswith("lambda:")


def eligible(corpus):
    """-> [(path, document)], by nothing but the files' text"""
    chosen = []
    for path in sorted(corpus.glob("**/*.json")):
        text = path.read_text()
        document = json.loads(text)
        if not isinstance(document, dict) or "id" not in document or "kind" not in document:
            continue
        calls = {s["op"] for s in document.get("steps", ()) if s["service"] == "stepfunctions"}
        not_yet = document["kind"] != "test_state" and any(word in text for word in NOT_YET)
        if not_yet or not calls <= ACTIONS:
            continue
        if all(is_lambda(need) or need in ACTIVITIES for need in document.get("needs", ())):
            chosen.append((path, document))
    return chosen


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(command, ready, log):
    """a process, from when it answers at the URL `ready` until the end of the block"""
    process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        limit = time.monotonic() + 20
        while True:
            if process.poll() is not None:
                raise SystemExit("%s ended with status %d; see %s" % (command[0], process.returncode, log.name))
            try:
                open_url(ready, timeout=2).read()
                break
            except OSError:
                if time.monotonic() > limit:
                    raise SystemExit("%s does not answer at %s; see %s" % (command[0], ready, log.name))
                time.sleep(0.02)
        yield process
        if process.poll() is not None:
            raise SystemExit("%s ended within the run; see %s" % (command[0], log.name))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit("%s does not stop" % command[0])


@contextlib.contextmanager
def serving(args, stub, scratch, log):
    """-> the endpoint to test: a server of this run's own, unless one was given"""
    if args.endpoint:
        yield args.endpoint
        return
    server = free_port()
    command = [args.stepwell, "serve", "--port", server, "--data-dir", scratch / "data", "--account", ACCOUNT,
               "--lambda-endpoint", "http://127.0.0.1:%d" % stub]
    with running(command, "http://127.0.0.1:%d/health" % server, log):
        yield "http://127.0.0.1:%d" % server


class Worker(threading.Thread):
    """The worker of every activity there is, by the name of that in the recordings: it answers a task with its input."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.endpoint, self.known, self.over = endpoint, set(), threading.Event()

    def client(self):
        import boto3
        return boto3.session.Session().client(
            "stepfunctions", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="any")

    def run(self):
        client = self.client()
        while not self.over.wait(0.1):
            for activity in client.list_activities()["activities"]:
                arn = activity["activityArn"]
                if arn not in self.known:
                    self.known.add(arn)
                    threading.Thread(target=self.work, args=(arn,), daemon=True).start()

    def work(self, arn):
        client = self.client()
        while not self.over.is_set():
            try:
                task = client.get_activity_task(activityArn=arn, workerName="BASE_ID_ACTIVITY_CONSUMER")
                if "taskToken" not in task:
                    continue
                time.sleep(WORK)
                client.send_task_success(taskToken=task["taskToken"], output=task["input"])
            except client.exceptions.TaskTimedOut:
                pass
            except client.exceptions.ActivityDoesNotExist:
                return


@contextlib.contextmanager
def working(endpoint):
    worker = Worker(endpoint)
    worker.start()
    try:
        yield
    finally:
        worker.over.set()
        worker.join()


def replay(args, chosen, scratch):
    """-> the rows replay.py wrote, by id"""
    folder = scratch / "eligible"
    for path, _ in chosen:
        copy = folder / path.relative_to(args.corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    stub, results = args.stub_port or free_port(), scratch / "results.json"
    with open(scratch / "processes.log", "w") as log, \
            running([sys.executable, args.corpus / "lambda_stub.py", "--port", stub],
                    "http://127.0.0.1:%d/_stub" % stub, log), \
            serving(args, stub, scratch, log) as endpoint, working(endpoint):
        command = [sys.executable, args.corpus / "replay.py", "--endpoint", endpoint,
                   "--dir", folder, "--lambda-stub", "http://127.0.0.1:%d" % stub, "--json", results, "--quiet",
                   "--threads", args.threads, "--timeout", args.timeout]
        for need in ACTIVITIES:
            command += ["--with", need]
        for text in args.only:
            command += ["--only", text]
        # The recordings are of clients in this mode; in the newer one boto3 adds to every error how often it tried.
        environment = {**os.environ, "AWS_RETRY_MODE": "legacy"}
        # Its exit status is about all that ran; the baselines decide here.
        subprocess.run([str(word) for word in command], check=False, env=environment)
    with open(results) as f:
        return {row["id"]: row for row in json.load(f)["results"]}


def regressions(rows, chosen, args):
    bad = []
    for grade, path in BASELINES.items():
        listed = json.loads(path.read_text()) if path.exists() else []
        for i in listed:
            if args.only and i not in rows:
                continue
            if i not in rows:
                bad.append("%s: %s is not in the eligible set" % (grade, i))
            elif not rows[i][grade]:
                bad.append("%s: %s\n       %s" % (grade, i, rows[i].get("difference", "")))
        print("baseline %s: %d listed" % (grade, len(listed)))
    return bad


def percent(part, whole):
    return "%d of %d (%.1f %%)" % (part, whole, 100.0 * part / whole if whole else 0)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--corpus", type=pathlib.Path, required=True, help="the folder replay.py is in")
    tested = ap.add_mutually_exclusive_group(required=True)
    tested.add_argument("--stepwell", type=pathlib.Path, help="the binary to test")
    tested.add_argument("--endpoint", help="the running installation to test; its tasks call functions at --stub-port")
    ap.add_argument("--stub-port", type=int, help="where the Lambda stub listens (default: any free port)")
    ap.add_argument("--write", action="store_true", help="write the baselines from what passed")
    ap.add_argument("--only", action="append", default=[], help="ids or paths that contain this (repeatable)")
    ap.add_argument("--report", type=pathlib.Path, help="write what failed here, as JSON")
    ap.add_argument("--threads", type=int, default=8)
    ap.add_argument("--timeout", type=float, default=30)
    args = ap.parse_args()

    chosen = eligible(args.corpus)
    needs = collections.Counter("with the Lambda stub" if d.get("needs") else "self-contained" for _, d in chosen)
    print("eligible: %s" % ", ".join("%d %s" % (n, what) for what, n in sorted(needs.items())))
    with tempfile.TemporaryDirectory(prefix="stepwell-parity-") as scratch:
        rows = replay(args, chosen, pathlib.Path(scratch))
    if not rows:
        raise SystemExit("nothing ran")
    for grade in BASELINES:
        print("%s: %s" % (grade, percent(sum(r[grade] for r in rows.values()), len(rows))))
    if args.report:
        failed = [r for r in rows.values() if not r["history"]]
        args.report.write_text(json.dumps(failed, indent=1) + "\n")
    if args.write:
        for grade, path in BASELINES.items():
            path.write_text(json.dumps(sorted(i for i, r in rows.items() if r[grade]), indent=1) + "\n")
        return 0
    bad = regressions(rows, chosen, args)
    for line in bad:
        print("REGRESSION %s" % line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
