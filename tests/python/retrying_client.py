"""Starts an execution as boto3 does by itself: prints how every attempt was answered, at last the execution."""
import os

import boto3

client = boto3.client("stepfunctions")


def tell(response, **_):
    answered, parsed = response
    print("answered", answered.status_code, parsed.get("Error", {}).get("Code", "well"), flush=True)


client.meta.events.register("needs-retry.sfn.StartExecution", tell)
started = client.start_execution(stateMachineArn=os.environ["STEPWELL_MACHINE"], name="retrying")
print("started", started["executionArn"], flush=True)
