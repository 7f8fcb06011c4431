"""Deploys infra/template.yaml by the SAM CLI to an emulator of AWS, and runs workflows on what was deployed.

    deployed.py --sam SAM --emulator MINISTACK --programs DIR --infra DIR --scratch DIR

DIR of --programs holds the functions' binaries (api, worker, clock), which the emulator starts as they are. Prints a line
per workflow; the first that does not end as it should ends the run.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request
import zipfile

import boto3
from botocore.config import Config

FUNCTIONS = {"Api": "api", "Worker": "worker", "Clock": "clock"}
ACCOUNT = "000000000000"
REGION = "us-east-1"
ECHO = "arn:aws:lambda:%s:%s:function:echo" % (REGION, ACCOUNT)
ROLE = "arn:aws:iam::%s:role/any" % ACCOUNT
BUCKET = "stepwell-code"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def emulator(program, port, log):
    """A running emulator that answers."""
    environment = dict(os.environ, BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1", GATEWAY_PORT=str(port),
                       DOCKER_HOST="unix:///nonexistent")
    with open(log, "w") as out:
        process = subprocess.Popen([program], env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen("http://127.0.0.1:%d/_ministack/health" % port)
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(30)


def prepare(infra, programs, scratch):
    """The template with the binaries in the place of what `sam build` makes of the sources."""
    shutil.copytree(infra, scratch / "infra")
    template = scratch / "infra" / "template.yaml"
    text = template.read_text().replace("    CodeUri: ..\n", "")
    for name, program in FUNCTIONS.items():
        folder = scratch / "code" / program
        folder.mkdir(parents=True)
        shutil.copy(programs / program, folder / "bootstrap")
        build = "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties: { Binary: %s }\n" % program
        assert build in text, program
        text = text.replace(build + "    Properties:\n", "    Properties:\n      CodeUri: ../code/%s\n" % program)
    # The emulator compares this number with others as a text when it comes from a parameter.
    text = text.replace("MaximumConcurrency: !Ref MaximumConcurrency", "MaximumConcurrency: 200")
    template.write_text(text)
    return template


def deploy(sam, template, endpoint):
    parameters = {"Architecture": "x86_64", "TaskFunctions": ECHO, "Access": "PUBLIC_URL",
                  "EmulatorEndpoint": endpoint, "DeletionProtection": "false"}
    command = [sam, "deploy", "--template-file", template, "--stack-name", "stepwell", "--s3-bucket", BUCKET,
               "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset",
               "--no-progressbar", "--region", REGION, "--parameter-overrides"]
    command += ["%s=%s" % pair for pair in parameters.items()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def client(service, endpoint, **settings):
    config = Config(inject_host_prefix=False, retries={"max_attempts": 0}, read_timeout=60, **settings)
    return boto3.client(service, endpoint_url=endpoint, config=config, region_name=REGION)


def step_functions(endpoint, outputs):
    """Calls the function's URL: the emulator tells URLs apart by the host that is asked for."""
    host = outputs["Endpoint"].split("/")[2]
    made = client("stepfunctions", endpoint)
    made.meta.events.register("before-send.sfn.*", lambda request, **_: request.headers.__setitem__("Host", host))
    return made


class Workflows:
    def __init__(self, sfn):
        self.sfn = sfn

    def start(self, name, definition, given):
        text = json.dumps(definition)
        machine = self.sfn.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"]
        return self.sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]

    def end(self, execution, patience=60):
        deadline = time.time() + patience
        while time.time() < deadline:
            told = self.sfn.describe_execution(executionArn=execution)
            if told["status"] != "RUNNING":
                return told
            time.sleep(0.05)
        raise AssertionError("%s is still running" % execution)

    def run(self, name, definition, given, expected):
        begun = time.time()
        told = self.end(self.start(name, definition, given))
        assert told["status"] == "SUCCEEDED" and json.loads(told["output"]) == expected, told
        print("%-10s ends as it should after %.2f s" % (name, time.time() - begun))
        return self.sfn.get_execution_history(executionArn=told["executionArn"], maxResults=1000)["events"]


def one(state, name="A"):
    return {"StartAt": name, "States": {name: dict(state, End=True)}}


def call(**more):
    return dict({"Type": "Task", "Resource": ECHO}, **more)


def walk(sfn):
    flows = Workflows(sfn)
    flows.run("pass", one({"Type": "Pass"}), {"a": 1}, {"a": 1})
    jsonata = dict(one({"Type": "Pass", "Output": "{% $sum($states.input) %}"}), QueryLanguage="JSONata")
    flows.run("jsonata", jsonata, [1, 2, 3], 6)
    flows.run("wait", one({"Type": "Wait", "Seconds": 3}), {}, {})
    row = {"StartAt": "A", "States": {"A": call(Next="B"), "B": call(Next="C"), "C": call(End=True)}}
    events = flows.run("tasks", row, {"a": 1}, {"a": 1})
    assert [event["id"] for event in events] == list(range(1, len(events) + 1)), events
    items = list(range(200))
    flows.run("map", one({"Type": "Map", "MaxConcurrency": 40, "ItemProcessor": one(call(), "Item")}), items, items)
    missing = call(Resource=ECHO.replace("echo", "missing"), End=True,
                   Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}],
                   Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B", "ResultPath": None}])
    states = {"StartAt": "A", "States": {"A": missing, "B": {"Type": "Succeed"}}}
    events = flows.run("retry", states, {}, {})
    assert sum(event["type"] == "LambdaFunctionFailed" for event in events) == 3, events
    callback(flows)
    express(sfn)


def callback(flows):
    payload = {"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}}
    waiting = call(Resource="arn:aws:states:::lambda:invoke.waitForTaskToken", Parameters=payload, TimeoutSeconds=60)
    execution = flows.start("callback", one(waiting), {})
    for _ in range(200):
        events = flows.sfn.get_execution_history(executionArn=execution)["events"]
        if events[-1]["type"] == "TaskSubmitted":
            break
        time.sleep(0.05)
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    parameters = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])
    flows.sfn.send_task_success(taskToken=parameters["Payload"]["token"], output='"answered"')
    told = flows.end(execution)
    assert told.get("output") == '"answered"', told
    print("callback   is answered")


def express(sfn):
    text = json.dumps(one({"Type": "Wait", "Seconds": 1}))
    made = sfn.create_state_machine(name="express", definition=text, roleArn=ROLE, type="EXPRESS")
    told = sfn.start_sync_execution(stateMachineArn=made["stateMachineArn"], input="[1]")
    assert (told["status"], told["output"]) == ("SUCCEEDED", "[1]"), told
    sfn.start_execution(stateMachineArn=made["stateMachineArn"])
    print("express    ends within its call")


def make_echo(endpoint):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("echo.py", "def handler(event, context):\n    return event\n")
    client("lambda", endpoint).create_function(
        FunctionName="echo", Runtime="python3.11", Role=ROLE, Handler="echo.handler", Timeout=20,
        Code={"ZipFile": archive.getvalue()})


def nothing_is_dead(endpoint, outputs):
    queue = client("sqs", endpoint).get_queue_attributes(
        QueueUrl=outputs["DeadLettersUrl"], AttributeNames=["ApproximateNumberOfMessages"])
    assert queue["Attributes"]["ApproximateNumberOfMessages"] == "0", queue


def main():
    parser = argparse.ArgumentParser()
    for name in ("sam", "emulator", "programs", "infra", "scratch"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    port = free_port()
    endpoint = "http://127.0.0.1:%d" % port
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                      AWS_DEFAULT_REGION=REGION, SAM_CLI_TELEMETRY="0")
    template = prepare(arguments.infra, arguments.programs, arguments.scratch)
    with emulator(arguments.emulator, port, arguments.scratch / "emulator.log"):
        client("s3", endpoint).create_bucket(Bucket=BUCKET)
        make_echo(endpoint)
        begun = time.time()
        deploy(arguments.sam, template, endpoint)
        print("deployed after %.0f s" % (time.time() - begun))
        stacks = client("cloudformation", endpoint).describe_stacks(StackName="stepwell")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
        walk(step_functions(endpoint, outputs))
        nothing_is_dead(endpoint, outputs)


if __name__ == "__main__":
    main()
