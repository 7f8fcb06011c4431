"""What the tests of boto3 share: a client with every setting from the environment, and machines to try it on."""
import json
import os
import time
import unittest

import boto3

ACCOUNT = os.environ["STEPWELL_ACCOUNT"]
ROLE = "arn:aws:iam::%s:role/any" % ACCOUNT
PREFIX = "arn:aws:states:us-east-1:%s:" % ACCOUNT
FUNCTION = "arn:aws:lambda:us-east-1:%s:function:" % ACCOUNT


def machine(**states):
    """a definition whose first state is the first given"""
    return json.dumps({"StartAt": next(iter(states)), "States": states})


PASSES = machine(Greet={"Type": "Pass", "End": True})
WAITS = machine(Sleep={"Type": "Wait", "Seconds": 3600, "End": True})


class Case(unittest.TestCase):
    """a test with a client"""

    @classmethod
    def setUpClass(cls):
        cls.client = boto3.client("stepfunctions")

    def create(self, name, definition, **more):
        made = self.client.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)
        return made["stateMachineArn"]

    def start(self, machine_arn, **more):
        return self.client.start_execution(stateMachineArn=machine_arn, **more)["executionArn"]

    def finished(self, execution, seconds=20):
        """the description of an execution that is over"""
        limit = time.monotonic() + seconds
        while True:
            described = self.client.describe_execution(executionArn=execution)
            if described["status"] != "RUNNING":
                return described
            self.assertLess(time.monotonic(), limit, "%s is still running" % execution)
            time.sleep(0.05)

    def events(self, execution):
        """every event, through the paginator"""
        pages = self.client.get_paginator("get_execution_history").paginate(
            executionArn=execution, PaginationConfig={"PageSize": 3})
        return [event for page in pages for event in page["events"]]
