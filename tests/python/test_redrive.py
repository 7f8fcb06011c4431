"""RedriveExecution through boto3: what failed runs again, and nothing else."""
import datetime
import unittest

from botocore.exceptions import ClientError
from stepfunctions import FUNCTION, PASSES, PREFIX, WAITS, Case, machine

BRANCHES = machine(
    Both={"Type": "Parallel", "End": True, "Branches": [
        {"StartAt": "Double", "States": {"Double": {
            "Type": "Task", "Resource": FUNCTION + "Double", "End": True}}},
        {"StartAt": "Later", "States": {
            "Later": {"Type": "Wait", "Seconds": 1, "Next": "Break"},
            "Break": {"Type": "Task", "Resource": FUNCTION + "Break", "End": True}}}]})
BREAKS = machine(Break={"Type": "Task", "Resource": FUNCTION + "Break", "End": True})


class Redrive(Case):
    def failed(self, machine_name, definition, **more):
        execution = self.start(self.create(machine_name, definition), **more)
        self.assertNotEqual(self.finished(execution)["status"], "SUCCEEDED")
        return execution

    def refused(self, reason, execution, **more):
        with self.assertRaises(self.client.exceptions.ExecutionNotRedrivable) as refusal:
            self.client.redrive_execution(executionArn=execution, **more)
        text = "Execution %s invalid for redrive as: %s" % (execution, reason)
        self.assertEqual(refusal.exception.response["Error"]["Message"], text)

    def test_a_failed_execution_goes_on_in_the_same_history(self):
        execution = self.failed("redriven", BREAKS, name="one")
        described = self.client.describe_execution(executionArn=execution)
        self.assertEqual((described["redriveCount"], described["redriveStatus"]), (0, "REDRIVABLE"))
        self.assertNotIn("redriveDate", described)
        self.assertNotIn("redriveStatusReason", described)
        at = self.client.redrive_execution(executionArn=execution)["redriveDate"]
        self.assertIsInstance(at, datetime.datetime)
        again = self.finished(execution)
        self.assertEqual((again["status"], again["redriveCount"], again["redriveDate"]), ("FAILED", 1, at))
        self.assertEqual(again["startDate"], described["startDate"])
        self.assertGreaterEqual(again["stopDate"], at)
        events = self.events(execution)
        self.assertEqual([(e["id"], e["previousEventId"], e["type"]) for e in events], [
            (1, 0, "ExecutionStarted"), (2, 0, "TaskStateEntered"), (3, 2, "LambdaFunctionScheduled"),
            (4, 3, "LambdaFunctionStarted"), (5, 4, "LambdaFunctionFailed"), (6, 5, "ExecutionFailed"),
            (7, 6, "ExecutionRedriven"), (8, 2, "LambdaFunctionScheduled"), (9, 8, "LambdaFunctionStarted"),
            (10, 9, "LambdaFunctionFailed"), (11, 10, "ExecutionFailed")])
        self.assertEqual(events[6]["executionRedrivenEventDetails"], {"redriveCount": 1})
        self.assertEqual(events[6]["timestamp"], at)
        with self.assertRaises(self.client.exceptions.ExecutionAlreadyExists):
            self.start(described["stateMachineArn"], name="one")

    def test_a_redriven_execution_runs_and_is_listed_as_that(self):
        execution = self.start(self.create("stopped-to-be-redriven", WAITS), name="one")
        self.client.stop_execution(executionArn=execution, error="Enough", cause="for now")
        at = self.client.redrive_execution(executionArn=execution)["redriveDate"]
        described = self.client.describe_execution(executionArn=execution)
        self.assertEqual((described["status"], described["redriveCount"]), ("RUNNING", 1))
        self.assertEqual(described["redriveDate"], at)
        self.assertEqual(described["redriveStatus"], "NOT_REDRIVABLE")
        self.assertEqual(described["redriveStatusReason"], "Execution is RUNNING and cannot be redriven")
        for gone in ("stopDate", "error", "cause"):
            self.assertNotIn(gone, described)
        again = self.client.start_execution(stateMachineArn=described["stateMachineArn"], name="one")
        self.assertEqual(again["startDate"], described["startDate"])
        (listed,) = self.client.list_executions(
            stateMachineArn=described["stateMachineArn"], statusFilter="RUNNING")["executions"]
        self.assertEqual((listed["redriveCount"], listed["redriveDate"]), (1, at))
        self.assertNotIn("stopDate", listed)
        self.client.stop_execution(executionArn=execution)
        (listed,) = self.client.list_executions(stateMachineArn=described["stateMachineArn"])["executions"]
        self.assertEqual((listed["status"], listed["redriveCount"], listed["redriveDate"]), ("ABORTED", 1, at))

    def test_only_the_branch_that_failed_runs_again(self):
        execution = self.failed("branches", BRANCHES, input='{"number": 21}')
        self.client.redrive_execution(executionArn=execution)
        self.finished(execution)
        calls = [e["type"] for e in self.events(execution)].count("LambdaFunctionScheduled")
        self.assertEqual(calls, 3, "Double once and Break twice")

    def test_a_token_answers_its_redrive_and_restarts_nothing(self):
        execution = self.failed("tokens", BREAKS)
        first = self.client.redrive_execution(executionArn=execution, clientToken="first")["redriveDate"]
        self.finished(execution)
        again = self.client.redrive_execution(executionArn=execution, clientToken="first")["redriveDate"]
        self.assertEqual(again, first)
        self.assertEqual(self.client.describe_execution(executionArn=execution)["redriveCount"], 1)
        second = self.client.redrive_execution(executionArn=execution, clientToken="second")["redriveDate"]
        self.assertGreater(second, first)
        self.finished(execution)
        for token, at in (("first", first), ("second", second)):
            answered = self.client.redrive_execution(executionArn=execution, clientToken=token)
            self.assertEqual(answered["redriveDate"], at)
        self.assertEqual(self.client.describe_execution(executionArn=execution)["redriveCount"], 2)

    def test_a_refused_redrive_does_not_use_its_token_up(self):
        execution = self.start(self.create("early", WAITS))
        self.refused("Execution is RUNNING and cannot be redriven", execution, clientToken="mine")
        self.client.stop_execution(executionArn=execution)
        self.client.redrive_execution(executionArn=execution, clientToken="mine")
        self.assertEqual(self.client.describe_execution(executionArn=execution)["redriveCount"], 1)
        self.client.stop_execution(executionArn=execution)

    def test_what_cannot_be_redriven_is_refused_as_at_aws(self):
        succeeded = self.start(self.create("succeeds", PASSES))
        self.finished(succeeded)
        self.refused("Execution is SUCCEEDED and cannot be redriven", succeeded)
        errors = self.client.exceptions
        with self.assertRaises(errors.ExecutionDoesNotExist):
            self.client.redrive_execution(executionArn=PREFIX + "execution:succeeds:none")
        with self.assertRaises(errors.InvalidArn):
            self.client.redrive_execution(executionArn=PREFIX + "express:succeeds:none:none")
        with self.assertRaises(errors.ValidationException) as refusal:
            self.client.redrive_execution(executionArn=PREFIX + "execution:succeeds/Label:none")
        self.assertEqual(refusal.exception.response["Error"]["Message"],
                         "Labeled Execution ARNs are not supported for this API")
        with self.assertRaises(ClientError) as refusal:
            self.client.redrive_execution(executionArn=succeeded, clientToken="not one")
        self.assertIn("Member must satisfy regular expression pattern: [!-~]+",
                      refusal.exception.response["Error"]["Message"])
        deleted = self.failed("deleted", BREAKS)
        self.client.delete_state_machine(stateMachineArn=PREFIX + "stateMachine:deleted")
        with self.assertRaises(errors.ExecutionDoesNotExist):
            self.client.redrive_execution(executionArn=deleted)


if __name__ == "__main__":
    unittest.main()
