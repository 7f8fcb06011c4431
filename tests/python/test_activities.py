"""Activities through boto3: managed, polled, answered by token, and every error there is."""
import json
import threading
import time
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from stepfunctions import PREFIX, Case, machine


class Activities(Case):
    def activity(self, name, **more):
        return self.client.create_activity(name=name, **more)["activityArn"]

    def task(self, arn, **more):
        return {"Type": "Task", "Resource": arn, "End": True, **more}

    def polled(self, arn, **more):
        """the next task; on Lambda a poll ends before there is one"""
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            found = self.client.get_activity_task(activityArn=arn, **more)
            if "taskToken" in found:
                return found
        self.fail("no task of %s" % arn)

    def refused(self, name, text, call, /, **members):
        with self.assertRaises(getattr(self.client.exceptions, name)) as raised:
            call(**members)
        error = raised.exception.response["Error"]
        self.assertEqual((error["Code"], error["Message"]), (name, text))

    def test_activities_are_managed(self):
        first = self.client.create_activity(name="managed", tags=[{"key": "team", "value": "a"}])
        arn = first["activityArn"]
        self.assertEqual(arn, PREFIX + "activity:managed")
        again = self.client.create_activity(name="managed", tags=[{"key": "team", "value": "b"}])
        self.assertEqual((again["activityArn"], again["creationDate"]), (arn, first["creationDate"]))
        described = self.client.describe_activity(activityArn=arn)
        described.pop("ResponseMetadata")
        self.assertEqual(described, {
            "activityArn": arn, "name": "managed", "creationDate": first["creationDate"],
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}})
        self.assertEqual(self.tags(arn), {"team": "a"})
        self.client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "c"}, {"key": "n", "value": "1"}])
        self.client.untag_resource(resourceArn=arn, tagKeys=["n"])
        self.assertEqual(self.tags(arn), {"team": "c"})
        self.client.delete_activity(activityArn=arn)
        self.client.delete_activity(activityArn=arn)
        gone = "Activity Does Not Exist: '%s'" % arn
        self.refused("ActivityDoesNotExist", gone, self.client.describe_activity, activityArn=arn)
        self.refused("ActivityDoesNotExist", gone, self.client.get_activity_task, activityArn=arn)
        self.refused("ResourceNotFound", "Resource not found: '%s'" % arn,
                     self.client.list_tags_for_resource, resourceArn=arn)

    def tags(self, arn):
        return {tag["key"]: tag["value"] for tag in self.client.list_tags_for_resource(resourceArn=arn)["tags"]}

    def test_lists_come_in_pages(self):
        names = ["page-%d" % number for number in range(5)]
        for name in names:
            self.activity(name)
        pages = self.client.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 2})
        found = [item["name"] for page in pages for item in page["activities"]]
        self.assertEqual([name for name in found if name.startswith("page-")], names)
        machines = self.client.list_state_machines()["stateMachines"]
        self.assertFalse([one for one in machines if ":activity:" in one["stateMachineArn"]])
        self.refused("InvalidToken", "Invalid Token: 'Invalid token'", self.client.list_activities, nextToken="x")

    def test_bad_requests_are_refused_in_the_words_of_aws(self):
        self.refused("InvalidName", "Invalid Name: 'a b'", self.client.create_activity, name="a b")
        for call in [self.client.describe_activity, self.client.delete_activity, self.client.get_activity_task]:
            self.refused("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: none'", call, activityArn="none")
        wrong = PREFIX + "stateMachine:m"
        self.refused("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: stateMachine'",
                     self.client.describe_activity, activityArn=wrong)
        many = [{"key": "k%d" % number, "value": ""} for number in range(51)]
        with self.assertRaises(self.client.exceptions.TooManyTags):
            self.client.create_activity(name="tagged", tags=many)

    def test_a_key_is_shown_and_a_wrong_one_refused(self):
        key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        own = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key}
        arn = self.activity("encrypted", encryptionConfiguration=own)
        shown = self.client.describe_activity(activityArn=arn)["encryptionConfiguration"]
        self.assertEqual(shown, {**own, "kmsDataKeyReusePeriodSeconds": 300})
        self.assertEqual(self.activity("encrypted", encryptionConfiguration={**own, "kmsDataKeyReusePeriodSeconds": 300}), arn)
        with self.assertRaises(self.client.exceptions.ActivityAlreadyExists):
            self.activity("encrypted")
        prefix = "Invalid Encryption Configuration: "
        for given, text in [
            ({"type": "CUSTOMER_MANAGED_KMS_KEY"}, "Must set a valid kmsKeyId."),
            ({"type": "AWS_OWNED_KEY", "kmsKeyId": key},
             "Custom kmsKeyId is not allowed when selecting AWS_OWNED_KEY."),
            ({"type": "AWS_OWNED_KEY", "kmsDataKeyReusePeriodSeconds": 60},
             "Custom kmsDataKeyReusePeriodSeconds is not allowed when selecting AWS_OWNED_KEY."),
        ]:
            self.refused("InvalidEncryptionConfiguration", prefix + text, self.client.create_activity,
                         name="refused", encryptionConfiguration=given)

    def test_a_worker_takes_a_task_and_answers(self):
        arn = self.activity("worked")
        made = self.create("worked", machine(Ask=self.task(arn, TimeoutSeconds=300, HeartbeatSeconds=60)))
        execution = self.start(made, input='{"n": 1}')
        found = self.polled(arn, workerName="ada")
        self.assertEqual(json.loads(found["input"]), {"n": 1})
        self.client.send_task_heartbeat(taskToken=found["taskToken"])
        self.client.send_task_success(taskToken=found["taskToken"], output='{"done": true}')
        self.assertEqual(json.loads(self.finished(execution)["output"]), {"done": True})
        events = self.events(execution)
        self.assertEqual([event["type"] for event in events], [
            "ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded",
            "TaskStateExited", "ExecutionSucceeded"])
        self.assertEqual([event["previousEventId"] for event in events], [0, 0, 2, 3, 4, 5, 6])
        self.assertEqual(events[2]["activityScheduledEventDetails"], {
            "resource": arn, "input": '{"n": 1}', "inputDetails": {"truncated": False}, "timeoutInSeconds": 300,
            "heartbeatInSeconds": 60})
        self.assertEqual(events[3]["activityStartedEventDetails"], {"workerName": "ada"})
        late = "Task Timed Out: '%s'" % arn
        self.refused("TaskTimedOut", late, self.client.send_task_success, taskToken=found["taskToken"], output="{}")
        self.refused("TaskTimedOut", late, self.client.send_task_heartbeat, taskToken=found["taskToken"])

    def test_a_worker_waits_for_the_task(self):
        arn = self.activity("awaited")
        made = self.create("awaited", machine(Ask=self.task(arn)))
        found = []
        worker = threading.Thread(target=lambda: found.append(self.polled(arn)))
        worker.start()
        time.sleep(1)
        execution = self.start(made)
        worker.join(60)
        self.client.send_task_failure(taskToken=found[0]["taskToken"], error="Refused", cause="no")
        described = self.finished(execution)
        self.assertEqual((described["status"], described["error"], described["cause"]), ("FAILED", "Refused", "no"))

    def test_time_runs_from_the_lease_on(self):
        arn = self.activity("slow")
        made = self.create("slow", machine(Ask=self.task(arn, TimeoutSeconds=2)))
        execution = self.start(made)
        time.sleep(3)
        self.assertEqual(self.client.describe_execution(executionArn=execution)["status"], "RUNNING")
        token = self.polled(arn)["taskToken"]
        described = self.finished(execution)
        self.assertEqual((described["status"], described["error"]), ("FAILED", "States.Timeout"))
        self.refused("TaskTimedOut", "Task Timed Out: '%s'" % arn,
                     self.client.send_task_success, taskToken=token, output="{}")

    def test_a_missing_activity_fails_its_state(self):
        arn = PREFIX + "activity:nobody"
        made = self.create("missing-activity", machine(Ask=self.task(arn)))
        described = self.finished(self.start(made))
        self.assertEqual(described["error"], "States.Runtime")
        self.assertEqual(described["cause"], "An error occurred while executing the state 'Ask' (entered at the event "
                         "id #2). The activity %s does not exist." % arn)

    def test_a_task_outlives_its_activity(self):
        arn = self.activity("recreated")
        made = self.create("recreated", machine(Ask=self.task(arn)))
        execution = self.start(made)
        self.client.delete_activity(activityArn=arn)
        self.assertEqual(self.client.describe_execution(executionArn=execution)["status"], "RUNNING")
        self.activity("recreated")
        self.client.send_task_success(taskToken=self.polled(arn)["taskToken"], output="1")
        self.assertEqual(self.finished(execution)["status"], "SUCCEEDED")
        stopped = self.start(made)
        self.client.stop_execution(executionArn=stopped)
        impatient = boto3.client("stepfunctions", config=Config(read_timeout=2, retries={"max_attempts": 0}))
        # The task of the stopped execution is not given out.
        with self.assertRaises(ReadTimeoutError):
            impatient.get_activity_task(activityArn=arn)


if __name__ == "__main__":
    unittest.main()
