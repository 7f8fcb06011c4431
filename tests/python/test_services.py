"""Tasks that call SQS, SNS and DynamoDB: what arrives there, what comes back, and how it fails."""
import json
import re
import time
import unittest

import boto3

from stepfunctions import Case, machine

REQUEST_ID = "[A-Za-z0-9-]+"


def task(call, parameters, **more):
    return {"Type": "Task", "Resource": "arn:aws:states:::" + call, "Parameters": parameters, **more}


class Services(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sqs, cls.sns, cls.dynamodb = (boto3.client(name) for name in ("sqs", "sns", "dynamodb"))
        cls.queue = cls.sqs.create_queue(QueueName="orders")["QueueUrl"]
        cls.topic = cls.sns.create_topic(Name="news")["TopicArn"]
        cls.mailbox = cls.sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = cls.sqs.get_queue_attributes(QueueUrl=cls.mailbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cls.sns.subscribe(TopicArn=cls.topic, Protocol="sqs", Endpoint=arn)
        cls.dynamodb.create_table(
            TableName="stock", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])

    def begin(self, **states):
        """an execution of these states; {"n": 7} is its input"""
        made = self.create("m%d" % time.monotonic_ns(), machine(**states))
        return self.start(made, input='{"n": 7}')

    def output(self, execution):
        described = self.finished(execution)
        self.assertEqual(described["status"], "SUCCEEDED", described)
        return json.loads(described["output"])

    def received(self, queue):
        limit = time.monotonic() + 20
        while True:
            for message in self.sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages", []):
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return message
            self.assertLess(time.monotonic(), limit, "nothing arrived")
            time.sleep(0.05)

    def has_metadata(self, result):
        self.assertEqual(result["SdkHttpMetadata"]["HttpStatusCode"], 200)
        self.assertEqual(
            set(result["SdkHttpMetadata"]), {"AllHttpHeaders", "HttpHeaders", "HttpStatusCode"})
        self.assertTrue(result["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"])
        self.assertEqual(set(result["SdkResponseMetadata"]), {"RequestId"})

    def recorded(self, execution, service, action):
        """the events of the task: types, and parameters of the first"""
        events = [e for e in self.events(execution) if e["type"].startswith("Task") and "State" not in e["type"]]
        for event in events:
            details = next(value for key, value in event.items() if key.endswith("EventDetails"))
            self.assertEqual((details["resourceType"], details["resource"]), (service, action))
        scheduled = events[0]["taskScheduledEventDetails"]
        self.assertEqual(scheduled["region"], "us-east-1")
        return [event["type"] for event in events], json.loads(scheduled["parameters"])

    def test_a_message_is_sent(self):
        parameters = {
            "QueueUrl": self.queue, "MessageBody": {"n.$": "$.n"},
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "order"}}}
        execution = self.begin(Send=task("sqs:sendMessage", parameters, End=True))
        result = self.output(execution)
        message = self.received(self.queue)
        self.assertEqual(message["Body"], '{"n":7}')
        self.assertEqual(message["MessageAttributes"]["kind"]["StringValue"], "order")
        self.assertEqual((result["MessageId"], result["MD5OfMessageBody"]), (message["MessageId"], message["MD5OfBody"]))
        self.assertIn("MD5OfMessageAttributes", result)
        self.has_metadata(result)
        types, given = self.recorded(execution, "sqs", "sendMessage")
        self.assertEqual(types, ["TaskScheduled", "TaskStarted", "TaskSucceeded"])
        self.assertEqual(given["MessageBody"], {"n": 7})

    def test_a_token_in_a_message_is_answered(self):
        parameters = {"QueueUrl": self.queue, "MessageBody": {"token.$": "$$.Task.Token"}}
        execution = self.begin(Ask=task("sqs:sendMessage.waitForTaskToken", parameters, TimeoutSeconds=60, End=True))
        token = json.loads(self.received(self.queue)["Body"])["token"]
        self.client.send_task_success(taskToken=token, output='{"approved": true}')
        self.assertEqual(self.output(execution), {"approved": True})
        types, _ = self.recorded(execution, "sqs", "sendMessage.waitForTaskToken")
        self.assertEqual(types, ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"])

    def test_a_message_is_published(self):
        parameters = {
            "TopicArn": self.topic, "Message": {"n.$": "$.n", "text": "a & b = c+d é"}, "Subject": "hello",
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "order"}}}
        execution = self.begin(Publish=task("sns:publish", parameters, End=True))
        result = self.output(execution)
        delivered = json.loads(self.received(self.mailbox)["Body"])
        self.assertEqual(json.loads(delivered["Message"]), {"n": 7, "text": "a & b = c+d é"})
        self.assertEqual((delivered["Subject"], delivered["MessageId"]), ("hello", result["MessageId"]))
        self.assertEqual(delivered["MessageAttributes"]["kind"], {"Type": "String", "Value": "order"})
        self.has_metadata(result)
        types, _ = self.recorded(execution, "sns", "publish")
        self.assertEqual(types, ["TaskScheduled", "TaskStarted", "TaskSucceeded"])

    def test_a_token_in_a_publication_is_answered(self):
        parameters = {"TopicArn": self.topic, "Message": {"token.$": "$$.Task.Token"}}
        execution = self.begin(Ask=task("sns:publish.waitForTaskToken", parameters, TimeoutSeconds=60, End=True))
        token = json.loads(json.loads(self.received(self.mailbox)["Body"])["Message"])["token"]
        self.client.send_task_failure(taskToken=token, error="Refused", cause="no")
        described = self.finished(execution)
        self.assertEqual((described["status"], described["error"]), ("FAILED", "Refused"))
        types, _ = self.recorded(execution, "sns", "publish.waitForTaskToken")
        self.assertEqual(types, ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskFailed"])

    def test_an_item_is_put_updated_read_and_deleted(self):
        key = {"id": {"S": "screw"}}
        execution = self.begin(
            Put=task(
                "dynamodb:putItem",
                {"TableName": "stock", "Item": {**key, "left": {"N.$": "States.Format('{}', $.n)"}}},
                ResultPath="$.put", Next="Update"),
            Update=task(
                "dynamodb:updateItem",
                {"TableName": "stock", "Key": key, "UpdateExpression": "SET #l = #l - :one",
                 "ExpressionAttributeNames": {"#l": "left"}, "ExpressionAttributeValues": {":one": {"N": "1"}},
                 "ReturnValues": "UPDATED_NEW"},
                ResultPath="$.update", Next="Get"),
            Get=task("dynamodb:getItem", {"TableName": "stock", "Key": key}, ResultPath="$.get", Next="Delete"),
            Delete=task("dynamodb:deleteItem", {"TableName": "stock", "Key": key}, ResultPath="$.delete", End=True))
        output = self.output(execution)
        for step in ("put", "update", "get", "delete"):
            self.has_metadata(output[step])
        # the emulator tells the capacity of an update unasked
        of_others = ("SdkHttpMetadata", "SdkResponseMetadata", "ConsumedCapacity")
        own = lambda step: {k: v for k, v in output[step].items() if k not in of_others}
        self.assertEqual(
            [own(step) for step in ("put", "update", "get", "delete")],
            [{}, {"Attributes": {"left": {"N": "6"}}}, {"Item": {**key, "left": {"N": "6"}}}, {}])
        self.assertNotIn("Item", self.dynamodb.get_item(TableName="stock", Key=key))

    def test_a_condition_that_does_not_hold_is_caught_by_its_name(self):
        put = {"TableName": "stock", "Item": {"id": {"S": "once"}}, "ConditionExpression": "attribute_not_exists(id)"}
        caught = [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "ResultPath": "$.error", "Next": "Known"}]
        states = {
            "Put": task("dynamodb:putItem", put, Catch=caught, ResultPath=None, Next="New"),
            "New": {"Type": "Pass", "Result": "new", "End": True},
            "Known": {"Type": "Pass", "InputPath": "$.error", "End": True},
        }
        self.assertEqual(self.output(self.begin(**states)), "new")
        error = self.output(self.begin(**states))
        self.assertEqual(error["Error"], "DynamoDB.ConditionalCheckFailedException")
        self.assertRegex(error["Cause"], "^" + re.escape(
            "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; "
            "Error Code: ConditionalCheckFailedException; Request ID: ") + REQUEST_ID + re.escape("; Proxy: null)") + "$")

    def test_what_is_not_there_has_the_names_of_aws(self):
        cases = [
            ("dynamodb:getItem", {"TableName": "none", "Key": {"id": {"S": "x"}}},
             "DynamoDB.ResourceNotFoundException", "AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFound"),
            ("sqs:sendMessage", {"QueueUrl": self.queue + "-none", "MessageBody": "b"},
             "SQS.QueueDoesNotExistException",
             "AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue;"),
            ("sns:publish", {"TopicArn": self.topic + "-none", "Message": "m"},
             "SNS.NotFoundException", "AmazonSNS; Status Code: 404; Error Code: NotFound;"),
        ]
        for call, parameters, error, cause in cases:
            with self.subTest(call):
                described = self.finished(self.begin(Call=task(call, parameters, End=True)))
                self.assertEqual((described["status"], described["error"]), ("FAILED", error))
                self.assertIn(cause, described["cause"])


if __name__ == "__main__":
    unittest.main()
