"""Tasks that call services through the SDK: moto is the service, boto3 looks at what arrived there."""
import json
import time
import unittest

import boto3

from stepfunctions import Case, machine


def task(call, parameters, **more):
    return {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:" + call, "Parameters": parameters, "End": True, **more}


class SdkCalls(Case):
    def begin(self, **states):
        made = self.create("m%d" % time.monotonic_ns(), machine(**states))
        return self.start(made, input='{"n": 7, "name": "π/ü"}')

    def output(self, call, parameters, **more):
        described = self.finished(self.begin(Call=task(call, parameters, **more)))
        self.assertEqual(described["status"], "SUCCEEDED", described)
        return json.loads(described["output"])

    def failure(self, call, parameters):
        described = self.finished(self.begin(Call=task(call, parameters)))
        self.assertEqual(described["status"], "FAILED", described)
        return described["error"], described["cause"]

    def test_json(self):
        name = "secret-%d" % time.monotonic_ns()
        made = self.output("secretsmanager:createSecret", {"Name": name, "SecretString.$": "$.name"})
        self.assertEqual(made["Name"], name)
        read = self.output("secretsmanager:getSecretValue", {"SecretId": name})
        self.assertEqual(read["SecretString"], "π/ü")
        self.assertRegex(read["CreatedDate"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$")
        error, cause = self.failure("secretsmanager:getSecretValue", {"SecretId": "none"})
        self.assertEqual(error, "SecretsManager.ResourceNotFoundException")
        self.assertRegex(cause, r"\(Service: SecretsManager, Status Code: 4\d\d, Request ID: .*\) \(SDK Attempt Count: 1\)$")

    def test_json_with_the_errors_of_the_query_protocol(self):
        queue = self.output("sqs:createQueue", {"QueueName": "sdk-calls"})["QueueUrl"]
        sent = self.output("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": {"n.$": "$.n"}})
        self.assertIn("Md5OfMessageBody", sent)
        received = self.output("sqs:receiveMessage", {"QueueUrl": queue})
        self.assertEqual(json.loads(received["Messages"][0]["Body"]), {"n": 7})
        error, _ = self.failure("sqs:sendMessage", {"QueueUrl": queue + "-none", "MessageBody": "b"})
        self.assertEqual(error, "Sqs.QueueDoesNotExistException")

    def test_dynamodb(self):
        self.output("dynamodb:createTable", {
            "TableName": "sdk-calls", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]})
        for number in range(3):
            self.output("dynamodb:putItem", {"TableName": "sdk-calls", "Item": {"id": {"S": str(number)}, "n": {"N": "1"}}})
        found = self.output("dynamodb:scan", {"TableName": "sdk-calls"})
        self.assertEqual((found["Count"], sorted(item["id"]["S"] for item in found["Items"])), (3, ["0", "1", "2"]))

    def test_rest_json(self):
        name = "group-%d" % time.monotonic_ns()
        made = self.output("scheduler:createScheduleGroup", {"Name": name, "Tags": [{"Key": "k", "Value.$": "$.name"}]})
        self.assertIn(name, made["ScheduleGroupArn"])
        read = self.output("scheduler:getScheduleGroup", {"Name": name})
        self.assertEqual((read["Name"], read["State"]), (name, "ACTIVE"))
        error, _ = self.failure("scheduler:getScheduleGroup", {"Name": "none"})
        self.assertEqual(error, "Scheduler.ResourceNotFoundException")

    def test_rest_xml(self):
        s3 = boto3.client("s3")
        self.output("s3:createBucket", {"Bucket": "sdk-calls"})
        key = "folder/π ü+&?.json"
        put = self.output("s3:putObject", {"Bucket": "sdk-calls", "Key": key, "Body": {"n.$": "$.n"}, "Metadata": {"a": "b"}})
        self.assertIn("ETag", put)
        self.assertEqual(json.load(s3.get_object(Bucket="sdk-calls", Key=key)["Body"]), {"n": 7})
        read = self.output("s3:getObject", {"Bucket": "sdk-calls", "Key": key})
        self.assertEqual((json.loads(read["Body"]), read["Metadata"], read["ContentLength"]), ({"n": 7}, {"a": "b"}, 7))
        listed = self.output("s3:listObjectsV2", {"Bucket": "sdk-calls", "Prefix": "folder/"})
        self.assertEqual([(item["Key"], item["Size"]) for item in listed["Contents"]], [(key, 7)])
        gone = self.output("s3:deleteObjects", {"Bucket": "sdk-calls", "Delete": {"Objects": [{"Key": key}]}})
        self.assertEqual(gone["Deleted"][0]["Key"], key)
        error, cause = self.failure("s3:getObject", {"Bucket": "sdk-calls", "Key": key})
        self.assertEqual(error, "S3.NoSuchKeyException")
        self.assertIn("(Service: S3, Status Code: 404, Request ID: ", cause)

    def test_query(self):
        topic = self.output("sns:createTopic", {"Name": "sdk-calls"})["TopicArn"]
        published = self.output("sns:publish", {
            "TopicArn": topic, "Message": "m",
            "MessageAttributes": {"a": {"DataType": "String", "StringValue.$": "$.name"}}})
        self.assertIn("MessageId", published)
        role = {"RoleName": "sdk-calls", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}
        made = self.output("iam:createRole", role)["Role"]
        self.assertRegex(made["CreateDate"], r"^\d{4}-\d\d-\d\dT")
        error, _ = self.failure("iam:getRole", {"RoleName": "none"})
        self.assertEqual(error, "Iam.NoSuchEntityException")

    def test_ec2(self):
        vpc = self.output("ec2:createVpc", {"CidrBlock": "10.9.0.0/16"})["Vpc"]
        found = self.output("ec2:describeVpcs", {"VpcIds": [vpc["VpcId"]]})
        self.assertEqual([(item["CidrBlock"], item["IsDefault"]) for item in found["Vpcs"]], [("10.9.0.0/16", False)])
        error, cause = self.failure("ec2:describeVpcs", {"VpcIds": ["vpc-00000000"]})
        self.assertEqual(error, "Ec2.Ec2Exception")
        self.assertIn("vpc-00000000", cause)

    def test_step_functions_is_this_server(self):
        child = self.create("child-%d" % time.monotonic_ns(), machine(
            Wait={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:createQueue.waitForTaskToken", "Parameters": {
                "QueueName": "child", "Tags": {"token.$": "$$.Task.Token"}}, "End": True}))
        parameters = {"StateMachineArn": child, "Name": "named", "Input": {"n.$": "$.n"}}
        started = self.output("sfn:startExecution", parameters)
        described = self.output("sfn:describeExecution", {"ExecutionArn": started["ExecutionArn"]})
        self.assertEqual((described["Status"], described["Input"], described["Name"]), ("RUNNING", '{"n":7}', "named"))
        self.assertRegex(described["StartDate"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        error, cause = self.failure("sfn:describeExecution", {"ExecutionArn": started["ExecutionArn"] + "-none"})
        self.assertEqual(error, "Sfn.ExecutionDoesNotExistException")
        self.assertIn("(Service: Sfn, Status Code: 400, Request ID: ", cause)
        self.output("sfn:stopExecution", {"ExecutionArn": started["ExecutionArn"], "Error": "E"})
        self.assertEqual(self.finished(started["ExecutionArn"])["error"], "E")

    def test_what_the_service_does_not_take_is_refused_at_creation(self):
        place = " at /States/Call/Parameters"
        cases = [
            ("sqs:createQueue", {}, "The field 'QueueName' is required but was missing" + place),
            ("sqs:createQueue", {"QueueName": "q", "queuename": "q"},
             'The field "queuename" is not supported by Step Functions. Did you mean \'QueueName\'?' + place),
            ("sqs:createQueue", {"QueueName": 1}, "The value for the field 'QueueName' must be a STRING" + place),
            ("sqs:createQueues", {"QueueName": "q"},
             "The resource provided arn:aws:states:::aws-sdk:sqs:createQueues is not recognized."),
        ]
        for call, parameters, refusal in cases:
            with self.subTest(refusal), self.assertRaises(self.client.exceptions.InvalidDefinition) as raised:
                self.begin(Call=task(call, parameters))
            self.assertIn("SCHEMA_VALIDATION_FAILED: " + refusal, str(raised.exception))

    def test_a_computed_value_that_the_service_does_not_take_fails_the_execution(self):
        error, cause = self.failure("sqs:createQueue", {"QueueName": "q", "Attributes.$": "$.n"})
        self.assertEqual(error, "States.Runtime")
        self.assertIn("[The value of the field 'Attributes' has an invalid format]", cause)

    def test_a_call_waits_for_its_token(self):
        queue = self.output("sqs:createQueue", {"QueueName": "tokens"})["QueueUrl"]
        body = {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}}
        execution = self.begin(Call=task("sqs:sendMessage.waitForTaskToken", body))
        sqs, limit = boto3.client("sqs"), time.monotonic() + 20
        while not (messages := sqs.receive_message(QueueUrl=queue).get("Messages")):
            self.assertLess(time.monotonic(), limit, "nothing arrived")
            time.sleep(0.05)
        token = json.loads(messages[0]["Body"])["token"]
        self.client.send_task_success(taskToken=token, output='"done"')
        self.assertEqual(json.loads(self.finished(execution)["output"]), "done")


if __name__ == "__main__":
    unittest.main()
