"""Runs workflows on what infra/local.py starts, with tasks that another project's `cargo lambda watch` serves.

    under_cargo_lambda.py --local infra/local.py --programs DIR --scratch DIR

DIR of --programs holds the functions' binaries. Prints a line per workflow; the first that does not end as it should ends the run.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

REGION = "us-east-1"
GREET = "arn:aws:lambda:%s:123456789012:function:greet" % REGION
ROLE = "arn:aws:iam::123456789012:role/any"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Greet(threading.Thread):
    """A function of the developer's, that speaks the runtime's protocol; what it says can be changed."""

    def __init__(self, functions):
        super().__init__(daemon=True)
        self.runtime = "%s/.rt/greet/2018-06-01/runtime/invocation" % functions
        self.says = "Hello"

    def run(self):
        while True:
            with contextlib.suppress(http.client.RemoteDisconnected, urllib.error.URLError):
                self.answer_one()
            time.sleep(0.01)

    def answer_one(self):
        with urllib.request.urlopen(self.runtime + "/next") as told:
            request, event = told.headers["lambda-runtime-aws-request-id"], json.load(told)
        answer = json.dumps("%s, %s!" % (self.says, event["name"])).encode()
        urllib.request.urlopen("%s/%s/response" % (self.runtime, request), answer).close()


def run(sfn, name, given):
    machine = "arn:aws:states:%s:123456789012:stateMachine:%s" % (REGION, name)
    execution = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    begun = time.time()
    while time.time() < begun + 60:
        told = sfn.describe_execution(executionArn=execution)
        if told["status"] != "RUNNING":
            assert told["status"] == "SUCCEEDED", told
            print("%s: %s after %.1f s" % (name, told["output"], time.time() - begun))
            return json.loads(told["output"])
        time.sleep(0.1)
    raise AssertionError("%s is still running" % execution)


def walk(sfn, greet):
    task = {"Type": "Task", "Resource": GREET, "ResultPath": "$.said"}
    states = {"Greet": dict(task, Next="Rest"), "Rest": {"Type": "Wait", "Seconds": 2, "Next": "Again"},
              "Again": dict(task, ResultPath="$.again", End=True)}
    sfn.create_state_machine(name="hello", definition=json.dumps({"StartAt": "Greet", "States": states}), roleArn=ROLE)
    expected = {"name": "Ada", "said": "Hello, Ada!", "again": "Hello, Ada!"}
    assert run(sfn, "hello", {"name": "Ada"}) == expected
    greet.says = "Good morning"
    assert run(sfn, "hello", {"name": "Ada"})["said"] == "Good morning, Ada!"
    items = {"Type": "Map", "ItemProcessor": {"StartAt": "One", "States": {"One": dict(task, End=True)}}, "End": True}
    sfn.create_state_machine(name="all", definition=json.dumps({"StartAt": "All", "States": {"All": items}}), roleArn=ROLE)
    assert len(run(sfn, "all", [{"name": str(number)} for number in range(30)])) == 30
    text = json.dumps({"StartAt": "Greet", "States": {"Greet": dict(task, End=True)}})
    made = sfn.create_state_machine(name="express", definition=text, roleArn=ROLE, type="EXPRESS")
    told = sfn.start_sync_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps({"name": "Bob"}))
    assert json.loads(told["output"])["said"] == "Good morning, Bob!", told
    print("express: answered in its call")


def project(scratch):
    """Starts `cargo lambda watch` for a project of the developer's own, without building it; returns the process."""
    (scratch / "src").mkdir()
    (scratch / "src" / "main.rs").write_text("fn main() {}\n")
    (scratch / "Cargo.toml").write_text("[package]\nname = \"greet\"\nedition = \"2024\"\n[workspace]\n")
    port = free_port()
    watch = [pathlib.Path(sys.executable).parent / "cargo-lambda", "lambda", "watch", "--only-lambda-apis",
             "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    process = subprocess.Popen(watch, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    while not is_open(port):
        assert process.poll() is None, "cargo lambda watch ended"
        time.sleep(0.05)
    return process, "http://127.0.0.1:%d" % port


def is_open(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def under(options, functions):
    port, emulated = free_port(), free_port()
    command = [sys.executable, options.local, "--programs", options.programs, "--port", str(port),
               "--emulator-port", str(emulated), "--clock-seconds", "1", "--functions", functions]
    local = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in local.stdout:
        if line.startswith("Call it: "):
            break
    else:
        raise AssertionError("infra/local.py ended")
    threading.Thread(target=lambda: sys.stdout.writelines(local.stdout), daemon=True).start()
    watched = "http://127.0.0.1:%d" % port
    assert watched in line, line
    greet = Greet(functions)
    greet.start()
    config = Config(inject_host_prefix=False, retries={"max_attempts": 0}, read_timeout=60)
    sfn = boto3.client("stepfunctions", endpoint_url=watched, config=config, region_name=REGION,
                       aws_access_key_id="test", aws_secret_access_key="test")
    try:
        walk(sfn, greet)
    finally:
        os.kill(local.pid, signal.SIGINT)
        local.wait(30)
    assert local.returncode == 0 and not is_open(port) and not is_open(emulated), "not everything ended"


def main():
    parser = argparse.ArgumentParser()
    for name in ("local", "programs", "scratch"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    options = parser.parse_args()
    watching, functions = project(options.scratch)
    try:
        under(options, functions)
    finally:
        watching.terminate()
        watching.wait(30)


if __name__ == "__main__":
    main()
