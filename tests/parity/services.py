#!/usr/bin/env python3
"""Replays the recordings whose tasks call services, against a `stepwell` binary with an emulator behind it.

    services.py --corpus DIR --stepwell FILE --emulator URL [--only TEXT] [--verbose]

The recordings name what their tests made by stand-ins (`sqs-create-queue-uid00001()`): a queue, bucket or table is made for
each, and its name put in its place. `aws_wire.py` gives the emulator's answers the wire form of AWS. Exit status 0: every id of services-outcome.json and services-history.json passes at
its grade. --write writes both anew.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import boto3

import aws_wire
import run

HERE = pathlib.Path(__file__).resolve().parent
BASELINES = {grade: HERE / ("services-%s.json" % grade) for grade in ("outcome", "history")}
SERVICES = {"sqs", "sns", "dynamodb", "events", "s3", "secretsmanager"}
QUEUE = re.compile(r"sqs-create-queue-uid\d+\(\)")
BUCKET = re.compile(r"s3-create-bucket-uid\d+\(\)")
TOPIC = re.compile(r"sns-create-topic-uid\d+\(\)\.TopicArn")
TABLE = re.compile(r"sfn_test_table_uid\d+")


def chosen(corpus):
    """the recordings that need nothing but these services: by nothing but their text"""
    for path in sorted(corpus.glob("**/*.json")):
        text = path.read_text()
        document = json.loads(text)
        needs = set(document.get("needs", ())) if isinstance(document, dict) else set()
        if needs and needs <= SERVICES and "DISTRIBUTED" not in text and document.get("kind") == "execution":
            yield path, text


def with_dates(value):
    """the same, but that the dates of headers, which the recorder replaced together with their lists, are any dates"""
    if isinstance(value, list):
        return [with_dates(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: with_dates(item) for name, item in value.items()}
    for headers, date in (("AllHttpHeaders", ["<date>"]), ("HttpHeaders", "<date>")):
        if isinstance(value.get(headers), dict) and "Date" in value[headers]:
            value[headers]["Date"] = date
    return value


class Made:
    """What the recordings' tests made, made on the emulator."""

    def __init__(self, emulator):
        client = lambda name: boto3.client(name, endpoint_url=emulator)  # noqa: E731
        self.client = client
        self.count = 0

    def name(self, kind):
        self.count += 1
        return "parity-%s-%d-%d" % (kind, time.time(), self.count)

    def queue(self):
        return self.client("sqs").create_queue(QueueName=self.name("queue"))["QueueUrl"]

    def bucket(self):
        name = self.name("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def topic(self):
        return self.client("sns").create_topic(Name=self.name("topic"))["TopicArn"]

    def table(self):
        name = self.name("table")
        self.client("dynamodb").create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
        return name

    def document(self, text):
        """a recording with names in the place of stand-ins, after its setup"""
        for pattern, make in ((QUEUE, self.queue), (BUCKET, self.bucket), (TOPIC, self.topic), (TABLE, self.table)):
            # What ends in `.pattern` says what the recording replaced.
            for stand_in in set(pattern.findall(text)):
                text = text.replace(json.dumps(stand_in)[1:-1], make())
        document = with_dates(json.loads(text))
        for step in document.get("setup") or ():
            getattr(self.client(step["service"]), step["op"])(**step["params"])
        document["needs"] = []
        return document


def replayed(args, folder, scratch, log):
    results, port = scratch / "results.json", run.free_port()
    command = [args.stepwell, "serve", "--port", port, "--data-dir", scratch / "data", "--account", run.ACCOUNT,
               "--endpoint", "all=" + aws_wire.before(args.emulator)]
    with run.running(command, "http://127.0.0.1:%d/health" % port, log):
        replay = [sys.executable, args.corpus / "replay.py", "--endpoint", "http://127.0.0.1:%d" % port, "--dir", folder,
                  "--json", results, "--threads", "4", "--timeout", "30"]
        subprocess.run([str(word) for word in replay + ([] if args.verbose else ["--quiet"])], check=False)
    return {row["id"]: row for row in json.loads(results.read_text())["results"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--stepwell", required=True)
    parser.add_argument("--emulator", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    made = Made(args.emulator)
    with tempfile.TemporaryDirectory(prefix="stepwell-parity-") as scratch:
        scratch = pathlib.Path(scratch)
        folder = scratch / "recordings"
        folder.mkdir()
        for path, text in chosen(args.corpus):
            (folder / path.name).write_text(json.dumps(made.document(text)))
        with open(scratch / "log", "w") as log:
            rows = replayed(args, folder, scratch, log)
    bad = []
    for grade, path in BASELINES.items():
        passed = sorted(row["id"] for row in rows.values() if row[grade])
        if args.write:
            path.write_text(json.dumps(passed, indent=1) + "\n")
        listed = json.loads(path.read_text())
        bad += ["%s: %s: %s" % (grade, i, rows.get(i, {}).get("difference", "not replayed")) for i in listed if i not in passed]
        print("%s: %d of %d pass, %d listed" % (grade, len(passed), len(rows), len(listed)))
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
