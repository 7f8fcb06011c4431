"""State machines through boto3: their life, their pages, their tags, and errors as classes."""
import datetime
import unittest

from stepfunctions import PASSES, PREFIX, ROLE, WAITS, Case, machine


class Machines(Case):
    def test_a_machine_lives_and_goes(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        made = self.client.create_state_machine(name="life", definition=PASSES, roleArn=ROLE)
        self.assertEqual(made["stateMachineArn"], PREFIX + "stateMachine:life")
        self.assertIsInstance(made["creationDate"], datetime.datetime)
        self.assertLess(abs(made["creationDate"] - before), datetime.timedelta(minutes=1))
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.assertTrue(made["ResponseMetadata"]["RequestId"])
        updated = self.client.update_state_machine(stateMachineArn=made["stateMachineArn"], definition=WAITS)
        self.assertGreaterEqual(updated["updateDate"], made["creationDate"])
        described = self.client.describe_state_machine(stateMachineArn=made["stateMachineArn"])
        self.assertEqual(described["definition"], WAITS)
        self.assertEqual(described["creationDate"], made["creationDate"])
        self.client.delete_state_machine(stateMachineArn=made["stateMachineArn"])
        with self.assertRaises(self.client.exceptions.StateMachineDoesNotExist):
            self.client.describe_state_machine(stateMachineArn=made["stateMachineArn"])

    def test_an_update_that_changes_nothing_answers_with_the_current_revision(self):
        arn = self.create("unchanged", PASSES)
        self.assertNotIn("revisionId", self.client.update_state_machine(stateMachineArn=arn, definition=PASSES))
        first = self.client.update_state_machine(stateMachineArn=arn, definition=WAITS)
        again = self.client.update_state_machine(stateMachineArn=arn, definition=WAITS)
        self.assertEqual((again["revisionId"], again["updateDate"]), (first["revisionId"], first["updateDate"]))

    def test_creating_again_is_the_same_machine_or_a_conflict(self):
        first = self.client.create_state_machine(name="again", definition=PASSES, roleArn=ROLE)
        second = self.client.create_state_machine(name="again", definition=PASSES, roleArn=ROLE)
        self.assertEqual(first["stateMachineArn"], second["stateMachineArn"])
        self.assertEqual(first["creationDate"], second["creationDate"])
        with self.assertRaises(self.client.exceptions.StateMachineAlreadyExists):
            self.client.create_state_machine(name="again", definition=WAITS, roleArn=ROLE)

    def test_errors_are_the_classes_of_the_model(self):
        errors = self.client.exceptions
        with self.assertRaises(errors.InvalidDefinition):
            self.create("broken", "{")
        with self.assertRaises(errors.InvalidDefinition):
            self.create("dangling", machine(A={"Type": "Pass", "Next": "B"}))
        with self.assertRaises(errors.InvalidName):
            self.create("not a name", PASSES)
        with self.assertRaises(errors.InvalidArn):
            self.client.describe_state_machine(stateMachineArn="nonsense")
        with self.assertRaises(errors.InvalidToken):
            self.client.list_state_machines(nextToken="forged")

    def test_lists_come_in_pages(self):
        wanted = ["page-%02d" % number for number in range(7)]
        for name in wanted:
            self.create(name, PASSES)
        pages = list(self.client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 3}))
        names = [m["name"] for page in pages for m in page["stateMachines"]]
        self.assertEqual([name for name in names if name.startswith("page-")], wanted)
        self.assertTrue(all(len(page["stateMachines"]) <= 3 for page in pages))
        self.assertEqual(len(names), len(set(names)))

    def test_tags_are_set_listed_and_removed(self):
        arn = self.create("tagged", PASSES, tags=[{"key": "team", "value": "a"}])
        self.client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}, {"key": "cost", "value": "1"}])
        tags = {t["key"]: t["value"] for t in self.client.list_tags_for_resource(resourceArn=arn)["tags"]}
        self.assertEqual(tags, {"team": "b", "cost": "1"})
        self.client.untag_resource(resourceArn=arn, tagKeys=["team"])
        self.assertEqual(self.client.list_tags_for_resource(resourceArn=arn)["tags"], [{"key": "cost", "value": "1"}])
        with self.assertRaises(self.client.exceptions.ResourceNotFound):
            self.client.list_tags_for_resource(resourceArn=PREFIX + "stateMachine:nobody")

    def test_a_machine_with_running_executions_is_deleting_until_they_end(self):
        arn = self.create("busy", WAITS)
        execution = self.start(arn)
        self.client.delete_state_machine(stateMachineArn=arn)
        self.assertEqual(self.client.describe_state_machine(stateMachineArn=arn)["status"], "DELETING")
        with self.assertRaises(self.client.exceptions.StateMachineDeleting):
            self.start(arn)
        self.client.stop_execution(executionArn=execution)
        with self.assertRaises(self.client.exceptions.StateMachineDoesNotExist):
            for _ in range(100):
                self.client.describe_state_machine(stateMachineArn=arn)

    def test_a_customers_key_is_kept_and_shown(self):
        key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        own = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key, "kmsDataKeyReusePeriodSeconds": 60}
        arn = self.create("encrypted", PASSES, encryptionConfiguration=own)
        shown = lambda: self.client.describe_state_machine(stateMachineArn=arn)["encryptionConfiguration"]
        self.assertEqual(shown(), own)
        self.assertEqual(self.create("encrypted", PASSES, encryptionConfiguration=own), arn)
        with self.assertRaises(self.client.exceptions.StateMachineAlreadyExists):
            self.create("encrypted", PASSES)
        with self.assertRaises(self.client.exceptions.MissingRequiredParameter):
            self.client.update_state_machine(stateMachineArn=arn, encryptionConfiguration=own)
        self.client.update_state_machine(stateMachineArn=arn, definition=WAITS)
        self.assertEqual(shown(), own)
        self.client.update_state_machine(stateMachineArn=arn, definition=WAITS, encryptionConfiguration={"type": "AWS_OWNED_KEY"})
        self.assertEqual(shown(), {"type": "AWS_OWNED_KEY"})
        with self.assertRaises(self.client.exceptions.InvalidEncryptionConfiguration) as raised:
            self.create("refused", PASSES, encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY"})
        self.assertEqual(raised.exception.response["Error"]["Message"],
                         "Invalid Encryption Configuration: Must set a valid kmsKeyId.")

    def test_a_trace_header_is_kept_or_made(self):
        plain, traced = self.create("plain", PASSES), self.create("traced", PASSES, tracingConfiguration={"enabled": True})
        shown = lambda execution: self.client.describe_execution(executionArn=execution).get("traceHeader")
        header = "Root=1-66f2aa10-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"
        self.assertEqual(shown(self.start(plain, traceHeader=header)), header)
        self.assertIsNone(shown(self.start(plain)))
        self.assertRegex(shown(self.start(traced)), r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1$")

    def test_definitions_are_validated(self):
        good = self.client.validate_state_machine_definition(definition=PASSES)
        self.assertEqual((good["result"], good["diagnostics"]), ("OK", []))
        bad = self.client.validate_state_machine_definition(definition=machine(A={"Type": "Pass", "Next": "B"}))
        self.assertEqual(bad["result"], "FAIL")
        self.assertEqual({d["severity"] for d in bad["diagnostics"]}, {"ERROR"})


if __name__ == "__main__":
    unittest.main()
