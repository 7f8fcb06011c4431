"""Stepwell's functions under `cargo lambda watch`, on an emulated DynamoDB and SQS; Ctrl-C ends everything.

    python3 infra/local.py                 builds api, worker and clock, and again whenever their sources change
    python3 infra/local.py --programs DIR  takes the binaries that are in DIR, as they are

What it starts: an emulator of AWS with the table and the queues that template.yaml describes; `cargo lambda watch`; what
Lambda does besides calling functions, that is the event source mapping that brings the queue's messages to the worker, and
the schedule of the clock. Tasks call functions of the same `cargo lambda watch`, or of another one: --functions URL.

What is stored is the emulator's memory: it goes when this ends. The tools are installed into target/local-tools.
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
import urllib.parse

INFRA = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = INFRA / "local-requirements.txt"
TOOLS = INFRA.parent / "target" / "local-tools"
REGION = "us-east-1"
ACCOUNT = "123456789012"
FUNCTIONS = ("api", "worker", "clock")
# As the event source mapping of the template: messages of one invocation.
BATCH = 10
# Longer than the worker may take: nobody but the worker gives up on a batch.
PATIENCE = 1000
STOPPING = threading.Event()
# Which function each connection waits for; nothing for those whose answer is not awaited any more.
UNDER_WAY = {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9000, help="of cargo lambda watch (9000)")
    parser.add_argument("--emulator-port", type=int, default=4566, help="of DynamoDB and SQS (4566)")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR", help="built binaries, started as they are")
    parser.add_argument("--functions", metavar="URL", help="where tasks call functions, when not at the same port")
    parser.add_argument("--workers", type=int, default=4, help="batches of messages at a time (4)")
    parser.add_argument("--clock-seconds", type=float, default=60, help="between two ticks of the clock (60)")
    options = parser.parse_args()
    # Shells have what they start in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as processes:
        run(options, processes)


def run(options, processes):
    emulated = "http://127.0.0.1:%d" % options.emulator_port
    watched = "http://127.0.0.1:%d" % options.port
    started = [emulator(options, processes)]
    until_open(started, options.emulator_port)
    names = make_stores(emulated)
    variables = dict(
        names, STEPWELL_PARTITION="aws", STEPWELL_ACCOUNT=ACCOUNT, STEPWELL_RETENTION_DAYS="90",
        AWS_ENDPOINT_URL=emulated, LAMBDA_ENDPOINT=options.functions or watched, AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_LAMBDA_LOG_LEVEL="WARN", NO_COLOR="1")
    if not options.programs:
        build()
    started += watch(options, variables, processes)
    until_open(started, options.port)
    for _ in range(options.workers):
        threading.Thread(target=messages, args=(emulated, names["STEPWELL_QUEUE"], watched), daemon=True).start()
    threading.Thread(target=ticks, args=(watched, options.clock_seconds), daemon=True).start()
    if not options.programs:
        threading.Thread(target=losses, args=(started[-1].pid,), daemon=True).start()
    processes.callback(STOPPING.set)
    say("Stepwell under cargo lambda watch at %s, tasks at %s, DynamoDB and SQS at %s"
        % (watched, variables["LAMBDA_ENDPOINT"], emulated))
    say("Call it: AWS_DISABLE_HOST_PREFIX_INJECTION=true aws stepfunctions --endpoint-url %s list-state-machines" % watched)
    while all(process.poll() is None for process in started):
        time.sleep(0.2)
    ended = next(process for process in started if process.poll() is not None)
    sys.exit("%s ended with %s" % (pathlib.Path(ended.args[0]).name, ended.returncode))


# ---- what is started ----

def emulator(options, processes):
    ours = dict(BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1", GATEWAY_PORT=str(options.emulator_port),
                DOCKER_HOST="unix:///nonexistent")
    TOOLS.mkdir(parents=True, exist_ok=True)
    log = processes.enter_context(open(TOOLS / "emulator.log", "w"))
    return start([program("ministack")], ours, processes, stdout=log, stderr=subprocess.STDOUT)


def build():
    """What `cargo lambda watch` would do at the first call of each function, longer than clients wait for an answer."""
    say("building the functions")
    bins = [argument for name in FUNCTIONS for argument in ("--bin", name)]
    built = subprocess.run(["cargo", "build", *bins], cwd=INFRA.parent)
    if built.returncode:
        sys.exit("the functions do not build")


def watch(options, variables, processes):
    """`cargo lambda watch`; with built binaries, these too."""
    command = [program("cargo-lambda"), "lambda", "watch", "--invoke-address", "127.0.0.1",
               "--invoke-port", str(options.port), "--timeout", str(PATIENCE)]
    if not options.programs:
        # A process for each thing at a time, as on Lambda: a call that waits for another one would wait for ever.
        command += ["--concurrency", str(options.workers)]
        pairs = [argument for pair in variables.items() for argument in ("--env-var", "%s=%s" % pair)]
        return [start(command + pairs, {}, processes)]
    watching = start(command + ["--only-lambda-apis"], {}, processes)
    until_open([watching], options.port)
    # One process of each here, which does as many things at a time as there are pollers; but for the clock, which the
    # template keeps from being two at once.
    runtime = dict(variables, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512", AWS_LAMBDA_FUNCTION_VERSION="1",
                   AWS_LAMBDA_LOG_GROUP_NAME="local", AWS_LAMBDA_LOG_STREAM_NAME="local")
    at_once = {name: {"AWS_LAMBDA_MAX_CONCURRENCY": str(options.workers)} for name in FUNCTIONS if name != "clock"}
    return [watching] + [
        start([str(options.programs / name)], dict(
            runtime, **at_once.get(name, {}), AWS_LAMBDA_FUNCTION_NAME=name,
            AWS_LAMBDA_RUNTIME_API="http://127.0.0.1:%d/.rt/%s" % (options.port, name)), processes)
        for name in FUNCTIONS]


def program(name):
    return str(pathlib.Path(sys.executable).parent / name)


def start(command, variables, processes, **output):
    """A process in a group of its own, which ends when `processes` does, with all that it started."""
    process = subprocess.Popen(command, env=dict(os.environ, **variables), cwd=INFRA.parent, start_new_session=True, **output)
    processes.callback(end, process)
    return process


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until_open(started, port):
    """Waits until somebody listens there; who ends before, ends this."""
    for _ in range(600):
        for process in started:
            if process.poll() is not None:
                sys.exit("%s ended with %s" % (pathlib.Path(process.args[0]).name, process.returncode))
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)
    sys.exit("nobody listens at port %d" % port)


# ---- the table and the queues, as the template has them ----

def make_stores(endpoint):
    import boto3
    resources = template()["Resources"]
    settings = dict(endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    dynamodb, sqs = boto3.client("dynamodb", **settings), boto3.client("sqs", **settings)
    described = resources["Table"]["Properties"]
    taken = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    dynamodb.create_table(TableName="stepwell", **{name: described[name] for name in taken})
    dynamodb.update_time_to_live(TableName="stepwell", TimeToLiveSpecification=described["TimeToLiveSpecification"])
    dead = sqs.create_queue(QueueName="stepwell-dead", Attributes=plain(resources["DeadLetters"]["Properties"]))
    arn = sqs.get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    described = resources["Queue"]["Properties"]
    redrive = dict(described["RedrivePolicy"], deadLetterTargetArn=arn)
    queue = sqs.create_queue(
        QueueName="stepwell", Attributes=dict(plain(described), RedrivePolicy=json.dumps(redrive)))
    return {"STEPWELL_TABLE": "stepwell", "STEPWELL_QUEUE": queue["QueueUrl"], "STEPWELL_DEAD_LETTERS": dead["QueueUrl"]}


def plain(properties):
    """The numbers of a queue: what is not a number is for AWS only, but for what `make_stores` sets itself."""
    return {name: str(value) for name, value in properties.items() if type(value) is int}


def template():
    import yaml

    class Reader(yaml.SafeLoader):
        """CloudFormation's functions stay what they were given: nothing of what is read here is calculated."""

    def given(reader, _, node):
        if isinstance(node, yaml.ScalarNode):
            return reader.construct_scalar(node)
        return reader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else reader.construct_mapping(node)

    Reader.add_multi_constructor("!", given)
    return yaml.load((INFRA / "template.yaml").read_text(), Reader)


# ---- what Lambda does besides calling functions ----

def messages(endpoint, queue, watched):
    """The event source mapping: brings messages to the worker, and deletes those it does not hand back."""
    import boto3
    from botocore.config import Config
    sqs = boto3.client("sqs", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test",
                       aws_secret_access_key="test", config=Config(read_timeout=60))
    while not STOPPING.is_set():
        try:
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=BATCH, WaitTimeSeconds=10,
                                           AttributeNames=["ApproximateReceiveCount"]).get("Messages", [])
            undone = work(watched, received) if received else set()
            for message in received:
                if message["MessageId"] not in undone:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        except Exception as error:
            complain("the queue: %s" % error)
            STOPPING.wait(2)


def work(watched, received):
    """Has the worker handle messages; the ids of those that have to come again."""
    try:
        answer = invoke(watched, "worker", {"Records": [record(message) for message in received]})
        return {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures", [])}
    except Exception as error:
        complain("the worker: %s" % error)
        return {message["MessageId"] for message in received}


def record(message):
    return {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "md5OfBody": message["MD5OfBody"], "attributes": message.get("Attributes", {}), "messageAttributes": {},
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:%s:%s:stepwell" % (REGION, ACCOUNT),
            "awsRegion": REGION}


def ticks(watched, seconds):
    """The schedule."""
    while not STOPPING.wait(seconds):
        try:
            invoke(watched, "clock", {})
        except Exception as error:
            complain("the clock: %s" % error)


def invoke(watched, function, event):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(watched).netloc, timeout=PATIENCE)
    UNDER_WAY[connection] = function
    try:
        connection.request("POST", "/2015-03-31/functions/%s/invocations" % function, json.dumps(event),
                           {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        if UNDER_WAY[connection]:
            raise
        raise RuntimeError("its process was ended; what it was doing is done again") from None
    finally:
        UNDER_WAY.pop(connection)
        connection.close()
    if answer.status != 200:
        raise RuntimeError(body.decode(errors="replace")[:500])
    return json.loads(body)


def losses(watching):
    """`cargo lambda watch` ends a function's processes when its sources change, and never answers what they were doing."""
    before = set()
    while not STOPPING.wait(0.5):
        now = set(children(watching))
        ended = {name for name, _ in before - now}
        for connection, function in list(UNDER_WAY.items()):
            if function in ended:
                UNDER_WAY[connection] = None
                with contextlib.suppress(OSError, AttributeError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        before = now


def children(parent):
    """Name and number of each process that `parent` started."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=", "-o", "pid=", "-o", "comm="], stdout=subprocess.PIPE, text=True)
    for line in listed.stdout.splitlines():
        of, number, name = line.split(None, 2)
        if int(of) == parent:
            yield os.path.basename(name), int(number)


# ---- the tools ----

def has_tools():
    try:
        import boto3, yaml  # noqa: F401, E401
    except ImportError:
        return False
    return pathlib.Path(program("cargo-lambda")).exists() and pathlib.Path(program("ministack")).exists()


def install():
    """Installs the tools, and begins anew with them."""
    python = TOOLS / "venv" / "bin" / "python"
    installed = TOOLS / "installed.txt"
    wanted = REQUIREMENTS.read_text()
    if not installed.exists() or installed.read_text() != wanted:
        say("installing cargo-lambda and an emulator of AWS into %s" % os.path.relpath(TOOLS))
        subprocess.run([sys.executable, "-m", "venv", "--clear", TOOLS / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--requirement", REQUIREMENTS], check=True)
        installed.write_text(wanted)
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def complain(text):
    """What fails while everything ends is no news."""
    if not STOPPING.is_set():
        say(text)


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    if not has_tools():
        install()
    main()
