"""Builds and deploys infra/template.yaml by the SAM CLI to an emulator of AWS, and keeps that running.

    deploy.py --infra DIR --account ID (--target DIR | --programs DIR)

With `--target`, what a user types is what is done: `sam build` with cargo-lambda, and `sam deploy` of what that made, unedited.
Two things differ: the release build is for x86_64 and not optimised, which takes a quarter of the time, and it is kept in
that target folder; and the emulator's endpoint is a parameter. With `--programs`, `sam build` is left out, which builds every
dependency once more: `sam deploy` takes the binaries in that folder, where cargo left those of the tests' own build. Prints
one line of JSON that says where everything is, and ends when its standard input does.
"""

import argparse
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
from emulator import ministack
from samcli.yamlhelper import yaml_dump, yaml_parse

PROGRAMS = pathlib.Path(sys.executable).parent
REGION = "us-east-1"
BUCKET = "stepwell-code"
STACK = "stepwell"
ARCHITECTURE = "Architecture=x86_64"
# Cargo's way to say this without another profile: `sam build` knows no flags of cargo.
UNOPTIMISED = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "0", "CARGO_PROFILE_RELEASE_LTO": "off",
               "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "64"}


def run(program, *arguments, **variables):
    """A tool of this Python's own environment; what it printed, where it fails."""
    command = [sys.executable, PROGRAMS / program, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **variables})
    if done.returncode:
        raise SystemExit("%s %s:\n%s" % (program, arguments[0], done.stdout))


def build(infra, target, scratch):
    """`sam build`; the folder of what it made."""
    made = scratch / "build"
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    run("sam", "build", "--template-file", infra / "template.yaml", "--build-dir", made, "--cache-dir",
        scratch / "cache", "--parameter-overrides", ARCHITECTURE,
        PATH=path, CARGO_TARGET_DIR=str(target), **UNOPTIMISED)
    return made


def packaged(infra, programs, scratch):
    """What `sam build` makes, of binaries that are there: a folder for each function, and a template that names them."""
    made = scratch / "build"
    made.mkdir()
    for template in infra.glob("*.yaml"):
        shutil.copy(template, made)
    template = yaml_parse((infra / "template.yaml").read_text())
    for name, resource in template["Resources"].items():
        if resource.get("Metadata", {}).get("BuildMethod") != "rust-cargolambda":
            continue
        binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
        resource["Properties"]["CodeUri"] = name
        (made / name).mkdir()
        # Without the names of its symbols it is a third as large, and as much faster to send.
        subprocess.run(["strip", "-o", made / name / "bootstrap", programs / binary], check=True)
    (made / "template.yaml").write_text(yaml_dump(template))
    return made


def deploy(made, endpoint, account, role):
    parameters = [ARCHITECTURE, "TaskRoles=" + role, "TaskFunctions=arn:aws:lambda:%s:%s:function:*" % (REGION, account), "Access=PUBLIC_URL",
                  "EmulatorEndpoint=" + endpoint, "DeletionProtection=false"]
    run("sam", "deploy", "--template-file", made / "template.yaml", "--stack-name", STACK, "--s3-bucket", BUCKET,
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset", "--no-progressbar",
        "--region", REGION, "--parameter-overrides", *parameters)


def make_echo():
    """A function that workflows can call, in the emulator itself."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = boto3.client("iam").create_role(
        RoleName="echo", AssumeRolePolicyDocument=policy(trust))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("echo.py", "def handler(event, context):\n    return event\n")
    boto3.client("lambda").create_function(
        FunctionName="echo", Runtime="python3.11", Role=role["Role"]["Arn"], Handler="echo.handler", Timeout=120,
        Code={"ZipFile": archive.getvalue()})


def make_role(account):
    """A role that may send to one queue, and trusts one state machine of the account; its ARN."""
    queue = "arn:aws:sqs:%s:%s:of-the-role" % (REGION, account)
    boto3.client("sqs").create_queue(QueueName="of-the-role")
    trusted = {"sts:ExternalId": "arn:aws:states:%s:%s:stateMachine:trusted" % (REGION, account)}
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % account}, "Action": "sts:AssumeRole",
             "Condition": {"StringEquals": trusted}}
    sends = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="sends", AssumeRolePolicyDocument=policy(trust))["Role"]
    iam.put_role_policy(RoleName="sends", PolicyName="sends", PolicyDocument=policy(sends))
    return role["Arn"]


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def mend_concurrency(endpoint, account):
    """The emulator keeps a mapping's MaximumConcurrency as the text that a parameter is, and then cannot compare it."""
    # Not boto3, which makes a number of it. The emulator does not check the signature of an account's own key.
    signature = "AWS4-HMAC-SHA256 Credential=%s/20260101/%s/lambda/aws4_request, SignedHeaders=host, Signature=none"
    asked = urllib.request.Request(endpoint + "/2015-03-31/event-source-mappings/",
                                   headers={"Authorization": signature % (account, REGION)})
    with urllib.request.urlopen(asked) as answer:
        mapping, = json.load(answer)["EventSourceMappings"]
    most = mapping["ScalingConfig"]["MaximumConcurrency"]
    if most == "200":
        boto3.client("lambda").update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(most)})
    else:
        assert most == 200, mapping


def mend_batches():
    """The emulator asks for sqs:SendMessageBatch where AWS asks for sqs:SendMessage: IAM has no action of that name."""
    iam = boto3.client("iam")
    for name in [role["RoleName"] for role in iam.list_roles()["Roles"]]:
        if not name.startswith(STACK):
            continue
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                if statement["Action"] == "sqs:SendMessage":
                    statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def whereabouts(endpoint):
    stacks = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    # The emulator tells function URLs apart by their host, which stock clients cannot set, or by this path.
    url = outputs["Endpoint"].split("/")[2].split(".")[0]
    return {"emulator": endpoint, "endpoint": "%s/_aws/lambda-url/%s" % (endpoint, url), **outputs}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--infra", type=pathlib.Path, required=True)
    binaries = parser.add_mutually_exclusive_group(required=True)
    for name in ("target", "programs"):
        binaries.add_argument("--" + name, type=pathlib.Path)
    parser.add_argument("--account", required=True)
    arguments = parser.parse_args()
    # The emulator takes an access key of twelve digits for an account.
    os.environ.update(AWS_ACCESS_KEY_ID=arguments.account, AWS_SECRET_ACCESS_KEY="any", AWS_DEFAULT_REGION=REGION,
                      SAM_CLI_TELEMETRY="0")
    with tempfile.TemporaryDirectory(prefix="stepwell-deploy-") as scratch:
        begun = time.monotonic()
        if arguments.programs:
            made = packaged(arguments.infra, arguments.programs, pathlib.Path(scratch))
        else:
            made = build(arguments.infra, arguments.target, pathlib.Path(scratch))
        built = time.monotonic()
        # One that lets functions do what their roles allow, and nothing else.
        with ministack(AUTH="true", MINISTACK_ACCOUNT_ID=arguments.account) as endpoint:
            os.environ["AWS_ENDPOINT_URL"] = endpoint
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            make_echo()
            deploy(made, endpoint, arguments.account, make_role(arguments.account))
            mend_concurrency(endpoint, arguments.account)
            mend_batches()
            took = {"built_after": built - begun, "deployed_after": time.monotonic() - built}
            print(json.dumps({**whereabouts(endpoint), **took}), flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
