"""Task tokens through boto3: success, failure, heartbeats, and tokens that are none."""
import json
import time
import unittest

from stepfunctions import ROLE, Case, machine

CALLBACK = {
    "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 300,
    "HeartbeatSeconds": 60, "Parameters": {"FunctionName": "Accept", "Payload": {"token.$": "$$.Task.Token"}},
    "End": True,
}


class Callbacks(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.client.create_state_machine(
            name="callback", definition=machine(Ask=CALLBACK), roleArn=ROLE)
        cls.machine = made["stateMachineArn"]

    def asked(self, arn=None):
        """an execution that waits, and its token"""
        execution = self.start(arn or self.machine)
        limit = time.monotonic() + 20
        while True:
            events = {e["type"]: e for e in self.events(execution)}
            if "TaskSubmitted" in events:
                scheduled = events["TaskScheduled"]["taskScheduledEventDetails"]
                self.assertEqual((scheduled["timeoutInSeconds"], scheduled["heartbeatInSeconds"]), (300, 60))
                return execution, json.loads(scheduled["parameters"])["Payload"]["token"]
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.05)

    def test_success_goes_on(self):
        execution, token = self.asked()
        self.client.send_task_heartbeat(taskToken=token)
        self.client.send_task_success(taskToken=token, output='{"approved": true}')
        described = self.finished(execution)
        self.assertEqual((described["status"], json.loads(described["output"])), ("SUCCEEDED", {"approved": True}))
        with self.assertRaises(self.client.exceptions.TaskTimedOut):
            self.client.send_task_success(taskToken=token, output="{}")

    def test_failure_fails(self):
        execution, token = self.asked()
        self.client.send_task_failure(taskToken=token, error="Refused", cause="no")
        described = self.finished(execution)
        self.assertEqual((described["status"], described["error"], described["cause"]), ("FAILED", "Refused", "no"))

    def test_a_deleted_machine_ends_its_execution_at_the_next_transition(self):
        made = self.client.create_state_machine(name="deleted", definition=machine(Ask=CALLBACK), roleArn=ROLE)
        execution, token = self.asked(made["stateMachineArn"])
        self.client.delete_state_machine(stateMachineArn=made["stateMachineArn"])
        self.client.send_task_heartbeat(taskToken=token)
        self.assertEqual(self.client.describe_execution(executionArn=execution)["status"], "RUNNING")
        self.client.send_task_success(taskToken=token, output="{}")
        described = self.finished(execution)
        told = (described["status"], described["error"], described["cause"])
        self.assertEqual(told, ("FAILED", "States.Runtime", "State machine deleted has been deleted"))
        last = [event["type"] for event in self.events(execution)][-2:]
        self.assertEqual(last, ["TaskSucceeded", "ExecutionFailed"])
        with self.assertRaises(self.client.exceptions.StateMachineDoesNotExist):
            for _ in range(100):
                self.client.describe_state_machine(stateMachineArn=made["stateMachineArn"])

    def test_the_token_of_a_cancelled_sibling_is_still_good(self):
        fails = {"StartAt": "Wait", "States": {
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "No"}, "No": {"Type": "Fail", "Error": "No"}}}
        asks = {"StartAt": "Ask", "States": {"Ask": CALLBACK}}
        caught = [{"ErrorEquals": ["States.ALL"], "Next": "Rest"}]
        made = self.client.create_state_machine(name="siblings", roleArn=ROLE, definition=machine(
            Both={"Type": "Parallel", "Branches": [asks, fails], "Catch": caught, "End": True},
            Rest={"Type": "Wait", "Seconds": 3600, "End": True}))
        execution, token = self.asked(made["stateMachineArn"])
        limit = time.monotonic() + 20
        while "ParallelStateFailed" not in [event["type"] for event in self.events(execution)]:
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.05)
        self.client.send_task_heartbeat(taskToken=token)
        self.client.send_task_success(taskToken=token, output="{}")
        self.assertEqual(self.client.describe_execution(executionArn=execution)["status"], "RUNNING")
        self.client.stop_execution(executionArn=execution)
        self.client.send_task_heartbeat(taskToken=token)

    def test_a_forged_token_or_output_is_refused(self):
        execution, token = self.asked()
        with self.assertRaises(self.client.exceptions.InvalidToken):
            self.client.send_task_success(taskToken="forged", output="{}")
        tampered = token[:20] + ("B" if token[20] == "A" else "A") + token[21:]
        with self.assertRaises(self.client.exceptions.InvalidToken):
            self.client.send_task_heartbeat(taskToken=tampered)
        with self.assertRaises(self.client.exceptions.InvalidOutput) as raised:
            self.client.send_task_success(taskToken=token, output="not-json")
        self.assertEqual(raised.exception.response["Error"]["Message"], "Invalid Output: 'not-json' is not valid JSON.")
        self.assertEqual(self.client.describe_execution(executionArn=execution)["status"], "RUNNING")
        self.client.stop_execution(executionArn=execution)


if __name__ == "__main__":
    unittest.main()
