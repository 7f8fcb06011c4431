"""Tests of single states (TestState)."""
import json

from stepfunctions import FUNCTION, ROLE, Case


class States(Case):
    def answer(self, definition, **more):
        return self.client.test_state(definition=json.dumps(definition), **more)

    def test_a_mocked_task(self):
        task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": "$.sent", "Next": "Then",
                "Parameters": {"QueueUrl": "q", "MessageBody.$": "$.text"}}
        answer = self.answer(task, input='{"text": "hello"}', inspectionLevel="DEBUG", mock={"result": '{"MessageId": "m"}'})
        self.assertEqual((answer["status"], answer["nextState"]), ("SUCCEEDED", "Then"))
        self.assertEqual(json.loads(answer["output"]), {"text": "hello", "sent": {"MessageId": "m"}})
        sent = json.loads(answer["inspectionData"]["afterParameters"])
        self.assertEqual(sent, {"QueueUrl": "q", "MessageBody": "hello"})

    def test_a_called_task(self):
        task = {"Type": "Task", "Resource": FUNCTION + "Double", "End": True}
        answer = self.answer(task, roleArn=ROLE, input='{"number": 4}')
        self.assertEqual((answer["status"], json.loads(answer["output"])), ("SUCCEEDED", {"doubled": 8}))
        broken = {**task, "Resource": FUNCTION + "Break", "Catch": [{"ErrorEquals": ["Broken"], "Next": "Mend"}]}
        answer = self.answer(broken, roleArn=ROLE, inspectionLevel="TRACE")
        self.assertEqual((answer["status"], answer["error"], answer["nextState"]), ("CAUGHT_ERROR", "Broken", "Mend"))
        self.assertEqual(answer["inspectionData"]["errorDetails"], {"catchIndex": 0})

    def test_a_state_out_of_a_machine(self):
        machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Fail", "Error": "E"}}}
        self.assertEqual(self.answer(machine, stateName="A")["nextState"], "B")
        self.assertEqual(self.answer(machine, stateName="B")["error"], "E")

    def test_refusals(self):
        with self.assertRaises(self.client.exceptions.ValidationException):
            self.answer({"Type": "Task", "Resource": FUNCTION + "Double", "End": True})
        with self.assertRaises(self.client.exceptions.InvalidDefinition):
            self.answer({"Type": "Pass"})
        with self.assertRaises(self.client.exceptions.InvalidExecutionInput):
            self.answer({"Type": "Pass", "End": True}, input="{")
