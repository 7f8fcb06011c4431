"""Executions through boto3: starts, ends, histories in pages, Express."""
import datetime
import json
import unittest

from stepfunctions import FUNCTION, PASSES, PREFIX, WAITS, Case, machine

DOUBLES = machine(Double={"Type": "Task", "Resource": FUNCTION + "Double", "End": True})
BREAKS = machine(Break={"Type": "Task", "Resource": FUNCTION + "Break", "End": True})


class Executions(Case):
    def test_an_execution_runs_and_tells(self):
        arn = self.create("doubles", DOUBLES)
        started = self.client.start_execution(stateMachineArn=arn, name="one", input='{"number": 21}')
        self.assertEqual(started["executionArn"], PREFIX + "execution:doubles:one")
        self.assertIsInstance(started["startDate"], datetime.datetime)
        described = self.finished(started["executionArn"])
        self.assertEqual(described["status"], "SUCCEEDED")
        self.assertEqual(json.loads(described["output"]), {"doubled": 42})
        self.assertEqual(described["startDate"], started["startDate"])
        self.assertGreaterEqual(described["stopDate"], described["startDate"])
        self.assertEqual(described["stateMachineArn"], arn)
        machine_then = self.client.describe_state_machine_for_execution(executionArn=started["executionArn"])
        self.assertEqual(machine_then["definition"], DOUBLES)

    def test_a_failure_has_its_error_and_cause(self):
        described = self.finished(self.start(self.create("breaks", BREAKS)))
        self.assertEqual((described["status"], described["error"]), ("FAILED", "Broken"))
        self.assertEqual(json.loads(described["cause"]), {"errorType": "Broken", "errorMessage": "as asked"})

    def test_histories_come_in_pages_both_ways(self):
        execution = self.start(self.create("history", DOUBLES), input='{"number": 1}')
        self.finished(execution)
        events = self.events(execution)
        self.assertEqual([e["type"] for e in events], [
            "ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted",
            "LambdaFunctionSucceeded", "TaskStateExited", "ExecutionSucceeded"])
        self.assertEqual([e["id"] for e in events], list(range(1, 8)))
        self.assertTrue(all(isinstance(e["timestamp"], datetime.datetime) for e in events))
        self.assertEqual(sorted(e["timestamp"] for e in events), [e["timestamp"] for e in events])
        first = self.client.get_execution_history(executionArn=execution, maxResults=2, reverseOrder=True)
        second = self.client.get_execution_history(executionArn=execution, maxResults=2, reverseOrder=True,
                                                   nextToken=first["nextToken"])
        self.assertEqual([e["id"] for e in first["events"] + second["events"]], [7, 6, 5, 4])
        with self.assertRaises(self.client.exceptions.InvalidToken):
            self.client.get_execution_history(executionArn=execution, nextToken=first["nextToken"] + "A")

    def test_a_start_is_idempotent_while_it_runs(self):
        arn = self.create("idempotent", WAITS)
        first = self.client.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')
        second = self.client.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')
        self.assertEqual(first["executionArn"], second["executionArn"])
        self.assertEqual(first["startDate"], second["startDate"])
        with self.assertRaises(self.client.exceptions.ExecutionAlreadyExists):
            self.client.start_execution(stateMachineArn=arn, name="same", input='{"a": 2}')
        self.client.stop_execution(executionArn=first["executionArn"])
        with self.assertRaises(self.client.exceptions.ExecutionAlreadyExists):
            self.client.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')

    def test_errors_are_the_classes_of_the_model(self):
        arn, errors = self.create("errors", PASSES), self.client.exceptions
        with self.assertRaises(errors.InvalidExecutionInput):
            self.start(arn, input="{")
        with self.assertRaises(errors.InvalidName):
            self.start(arn, name="not a name")
        with self.assertRaises(errors.StateMachineDoesNotExist):
            self.start(arn + "-not")
        for call in (self.client.describe_execution, self.client.stop_execution, self.client.get_execution_history):
            with self.assertRaises(errors.ExecutionDoesNotExist):
                call(executionArn=PREFIX + "execution:errors:nobody")

    def test_lists_show_the_newest_first_in_pages(self):
        arn = self.create("listed", PASSES)
        started = [self.start(arn, name="run-%d" % number) for number in range(7)]
        for execution in started:
            self.finished(execution)
        pages = list(self.client.get_paginator("list_executions").paginate(
            stateMachineArn=arn, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 3}))
        rows = [row for page in pages for row in page["executions"]]
        self.assertEqual({row["executionArn"] for row in rows}, set(started))
        self.assertEqual(len(rows), 7)
        starts = [row["startDate"] for row in rows]
        self.assertEqual(starts, sorted(starts, reverse=True))
        self.assertEqual(self.client.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"], [])

    def test_a_running_execution_is_stopped(self):
        execution = self.start(self.create("stopped", WAITS))
        stopped = self.client.stop_execution(executionArn=execution, error="Enough", cause="as asked")
        described = self.client.describe_execution(executionArn=execution)
        self.assertEqual((described["status"], described["error"], described["cause"]),
                         ("ABORTED", "Enough", "as asked"))
        self.assertEqual(described["stopDate"], stopped["stopDate"])
        self.assertEqual(self.events(execution)[-1]["type"], "ExecutionAborted")

    def test_without_data_neither_data_nor_its_details_are_shown(self):
        hidden = {"input", "inputDetails", "output", "outputDetails", "error", "cause"}
        for execution in (self.start(self.create("discreet", PASSES)), self.start(self.create("breaks-too", BREAKS))):
            status = self.finished(execution)["status"]
            described = self.client.describe_execution(executionArn=execution, includedData="METADATA_ONLY")
            self.assertEqual((described["status"], hidden & set(described)), (status, set()))
        arn = self.create("discreet-express", DOUBLES, type="EXPRESS")
        answer = self.client.start_sync_execution(stateMachineArn=arn, input='{"number": 2}',
                                                  includedData="METADATA_ONLY")
        self.assertEqual((answer["status"], hidden & set(answer)), ("SUCCEEDED", set()))

    def test_an_execution_shows_the_revision_it_was_started_with(self):
        arn = self.create("revised", PASSES)
        updated = self.client.update_state_machine(stateMachineArn=arn, definition=DOUBLES)
        execution = self.start(arn, input='{"number": 1}')
        self.client.update_state_machine(stateMachineArn=arn, definition=BREAKS)
        seen = self.client.describe_state_machine_for_execution(executionArn=execution)
        self.assertEqual((seen["definition"], seen["revisionId"], seen["updateDate"]),
                         (DOUBLES, updated["revisionId"], updated["updateDate"]))

    def test_no_execution_has_map_runs(self):
        execution = self.start(self.create("mapless", PASSES))
        self.assertEqual(self.client.list_map_runs(executionArn=execution)["mapRuns"], [])
        errors, run = self.client.exceptions, PREFIX + "mapRun:mapless/Map:0c5dc2d2-9d4c-4f0f-9d5b-1f1d6a6b2c7e"
        for error, call, members in ((errors.ResourceNotFound, self.client.describe_map_run, {"mapRunArn": run}),
                                     (errors.ResourceNotFound, self.client.update_map_run,
                                      {"mapRunArn": run, "maxConcurrency": 5, "toleratedFailurePercentage": 12.5}),
                                     (errors.InvalidArn, self.client.describe_map_run, {"mapRunArn": "nonsense"}),
                                     (errors.InvalidToken, self.client.list_map_runs,
                                      {"executionArn": execution, "nextToken": "forged"}),
                                     (errors.ExecutionDoesNotExist, self.client.list_map_runs,
                                      {"executionArn": PREFIX + "execution:mapless:none"})):
            with self.assertRaises(error):
                call(**members)

    def test_express_answers_at_once_or_later(self):
        arn = self.create("quick", DOUBLES, type="EXPRESS")
        answer = self.client.start_sync_execution(stateMachineArn=arn, input='{"number": 2}')
        self.assertEqual((answer["status"], json.loads(answer["output"])), ("SUCCEEDED", {"doubled": 4}))
        self.assertIsInstance(answer["stopDate"], datetime.datetime)
        later = self.client.start_execution(stateMachineArn=arn, input='{"number": 2}')
        self.assertIn(":express:quick:", later["executionArn"])
        with self.assertRaises(self.client.exceptions.StateMachineTypeNotSupported):
            self.client.start_sync_execution(stateMachineArn=self.create("slow", PASSES))


if __name__ == "__main__":
    unittest.main()
