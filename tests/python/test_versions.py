"""Versions and aliases through boto3: their life, what conflicts, where starts are routed, and errors as classes."""
import concurrent.futures
import unittest

from stepfunctions import PASSES, PREFIX, ROLE, WAITS, Case, machine

NAMES = {1: machine(Greet={"Type": "Pass", "Result": 1, "End": True}),
         2: machine(Greet={"Type": "Pass", "Result": 2, "End": True}),
         3: machine(Greet={"Type": "Pass", "Result": 3, "End": True})}


def routes(*pairs):
    return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in pairs]


class Versions(Case):
    def refused(self, error, text, call, **members):
        """the error of a call that is refused with this class and a text that contains this"""
        with self.assertRaises(getattr(self.client.exceptions, error)) as raised:
            call(**members)
        self.assertIn(text, raised.exception.response["Error"]["Message"])
        return raised.exception.response

    def published(self, name, count=2):
        """a machine with so many versions, the last one being its current revision"""
        made = self.client.create_state_machine(name=name, definition=NAMES[1], roleArn=ROLE, publish=True)
        versions = [made["stateMachineVersionArn"]]
        for number in range(2, count + 1):
            updated = self.client.update_state_machine(stateMachineArn=made["stateMachineArn"],
                                                       definition=NAMES[number], publish=True)
            versions.append(updated["stateMachineVersionArn"])
        return made["stateMachineArn"], versions

    def listed(self, arn, **more):
        answer = self.client.list_state_machine_versions(stateMachineArn=arn, **more)
        return [v["stateMachineVersionArn"] for v in answer["stateMachineVersions"]], answer.get("nextToken")

    def test_a_revision_is_published_once_and_numbers_only_grow(self):
        arn = self.create("grows", NAMES[1])
        self.assertEqual(self.listed(arn), ([], None))
        first = self.client.publish_state_machine_version(stateMachineArn=arn, description="one")
        self.assertEqual(first["stateMachineVersionArn"], arn + ":1")
        again = self.client.publish_state_machine_version(stateMachineArn=arn, description="two")
        self.assertEqual((again["stateMachineVersionArn"], again["creationDate"]), (arn + ":1", first["creationDate"]))
        self.client.delete_state_machine_version(stateMachineVersionArn=arn + ":1")
        self.client.delete_state_machine_version(stateMachineVersionArn=arn + ":1")
        self.assertEqual(self.listed(arn), ([], None))
        later = self.client.publish_state_machine_version(stateMachineArn=arn)
        self.assertEqual(later["stateMachineVersionArn"], arn + ":2")

    def test_a_version_keeps_what_it_was_published_with(self):
        made = self.client.create_state_machine(name="keeps", definition=NAMES[1], roleArn=ROLE, publish=True,
                                                versionDescription="the first")
        arn = made["stateMachineArn"]
        updated = self.client.update_state_machine(stateMachineArn=arn, definition=NAMES[2], publish=True,
                                                   versionDescription="the second")
        one, two, current = (self.client.describe_state_machine(stateMachineArn=which)
                             for which in (arn + ":1", arn + ":2", arn))
        self.assertEqual((one["stateMachineArn"], one["definition"], one["description"]),
                         (arn + ":1", NAMES[1], "the first"))
        self.assertNotIn("revisionId", one)
        self.assertEqual((two["definition"], two["description"], two["revisionId"]),
                         (NAMES[2], "the second", updated["revisionId"]))
        self.assertEqual((current["stateMachineArn"], current["revisionId"]), (arn, updated["revisionId"]))
        self.assertNotIn("description", current)
        same = self.client.update_state_machine(stateMachineArn=arn, definition=NAMES[2], publish=True)
        self.assertEqual((same["revisionId"], same["updateDate"], same["stateMachineVersionArn"]),
                         (updated["revisionId"], updated["updateDate"], arn + ":2"))

    def test_creating_a_published_machine_again_compares_the_publication(self):
        create, definition = self.client.create_state_machine, {"definition": NAMES[1], "roleArn": ROLE}
        made = create(name="twice", publish=True, versionDescription="d", **definition)
        arn = made["stateMachineArn"]
        self.client.update_state_machine(stateMachineArn=arn, definition=NAMES[2], publish=True, versionDescription="e")
        again = create(name="twice", publish=True, versionDescription="d", definition=NAMES[2], roleArn=ROLE)
        self.assertEqual(again["stateMachineVersionArn"], arn + ":1")
        for more, text in [({}, "Already Exists: This state machine was already created with a published version."),
                           ({"publish": True, "versionDescription": "e"},
                            "with a published version using a different description."),
                           ({"publish": True}, "with a published version using a different description.")]:
            self.refused("StateMachineAlreadyExists", text, create, name="twice", definition=NAMES[2], roleArn=ROLE,
                         **more)
        self.refused("StateMachineAlreadyExists", "Already Exists: '%s'" % arn, create, name="twice", publish=True,
                     versionDescription="d", **definition)

    def test_what_publishing_refuses(self):
        arn, _ = self.published("refuses", 2)
        current = self.client.describe_state_machine(stateMachineArn=arn)["revisionId"]
        publish, update = self.client.publish_state_machine_version, self.client.update_state_machine
        self.refused("ConflictException", "for revision INITIAL. The current State Machine revision is %s." % current,
                     publish, stateMachineArn=arn, revisionId="INITIAL")
        publish(stateMachineArn=arn, revisionId=current)
        self.refused("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s:1'" % arn, update,
                     stateMachineArn=arn + ":1", definition=PASSES)
        self.refused("StateMachineDoesNotExist", "State Machine Does Not Exist", publish,
                     stateMachineArn=PREFIX + "stateMachine:missing")
        self.refused("ValidationException", "can only be set when publish is true", update, stateMachineArn=arn,
                     definition=PASSES, versionDescription="d")
        self.refused("InvalidArn", "", publish, stateMachineArn="nonsense")
        self.refused("InvalidToken", "Invalid Token: 'Invalid token'", self.client.list_state_machine_versions,
                     stateMachineArn=arn, nextToken="forged")

    def test_versions_and_aliases_come_in_pages(self):
        arn, versions = self.published("paged", 3)
        page, token = self.listed(arn, maxResults=2)
        self.assertEqual(page, [versions[2], versions[1]])
        self.assertEqual(self.listed(arn, maxResults=2, nextToken=token), ([versions[0]], None))
        create = self.client.create_state_machine_alias
        aliases = [create(name="alias-%d" % n, routingConfiguration=routes((versions[n % 2], 100)))
                   ["stateMachineAliasArn"] for n in range(3)]
        first = self.client.list_state_machine_aliases(stateMachineArn=arn, maxResults=2)
        rest = self.client.list_state_machine_aliases(stateMachineArn=arn, nextToken=first["nextToken"])
        self.assertEqual([a["stateMachineAliasArn"] for a in first["stateMachineAliases"]], aliases[:2])
        self.assertEqual([a["stateMachineAliasArn"] for a in rest["stateMachineAliases"]], aliases[2:])
        self.assertNotIn("nextToken", rest)
        some = self.client.list_state_machine_aliases(stateMachineArn=versions[1])["stateMachineAliases"]
        self.assertEqual([a["stateMachineAliasArn"] for a in some], [aliases[1]])

    def test_executions_are_pinned_to_their_version(self):
        arn, (one, two) = self.published("pinned")
        alias = self.client.create_state_machine_alias(name="live", routingConfiguration=routes((one, 100)))
        live = alias["stateMachineAliasArn"]
        by_alias, by_version, plain = self.start(live), self.start(two), self.start(arn)
        for execution, output, version, named in ((by_alias, "1", one, live), (by_version, "2", two, None),
                                                  (plain, "2", None, None)):
            described = self.finished(execution)
            self.assertEqual((described["output"], described["stateMachineArn"]), (output, arn))
            started = self.events(execution)[0]["executionStartedEventDetails"]
            for shown in (described, started):
                self.assertEqual(shown.get("stateMachineVersionArn"), version)
                self.assertEqual(shown.get("stateMachineAliasArn"), named)
        lists = {which: [(e["executionArn"], e.get("stateMachineVersionArn"), e.get("stateMachineAliasArn"))
                         for e in self.client.list_executions(stateMachineArn=which)["executions"]]
                 for which in (arn, one, two, live)}
        rows = [(by_alias, one, live), (by_version, two, None), (plain, None, None)]
        self.assertEqual(sorted(map(str, lists[arn])), sorted(map(str, rows)))
        self.assertEqual((lists[one], lists[two], lists[live]), (rows[:1], rows[1:2], rows[:1]))
        self.client.update_state_machine_alias(stateMachineAliasArn=live, routingConfiguration=routes((two, 100)))
        self.client.delete_state_machine_version(stateMachineVersionArn=one)
        seen = self.client.describe_state_machine_for_execution(executionArn=by_alias)
        self.assertEqual((seen["stateMachineArn"], seen["definition"]), (arn, NAMES[1]))
        for call in (self.start, lambda which: self.client.describe_state_machine(stateMachineArn=which)):
            self.refused("StateMachineDoesNotExist", "State Machine Version Does Not Exist: '%s'" % one, call,
                         **({"machine_arn": one} if call == self.start else {"which": one}))

    def test_two_routes_share_the_starts_by_weight(self):
        arn, (one, two) = self.published("shares")
        made = self.client.create_state_machine_alias(name="split", routingConfiguration=routes((one, 80), (two, 20)))
        live = made["stateMachineAliasArn"]
        started = [self.start(live, name="start-%d" % number) for number in range(60)]
        versions = [self.finished(execution)["stateMachineVersionArn"] for execution in started]
        self.assertTrue(30 <= versions.count(one) <= 59, versions.count(one))

    def test_an_alias_lives_and_goes(self):
        arn, (one, two) = self.published("routed")
        create, describe = self.client.create_state_machine_alias, self.client.describe_state_machine_alias
        made = create(name="live", description="d", routingConfiguration=routes((one, 100)))
        live = made["stateMachineAliasArn"]
        self.assertEqual(live, arn + ":live")
        same = create(name="live", description="d", routingConfiguration=routes((one, 100)))
        self.assertEqual(same["creationDate"], made["creationDate"])
        described = describe(stateMachineAliasArn=live)
        self.assertEqual((described["name"], described["description"], described["routingConfiguration"]),
                         ("live", "d", routes((one, 100))))
        self.assertNotIn("updateDate", described)
        for more in ({"description": "e", "routingConfiguration": routes((one, 100))},
                     {"description": "d", "routingConfiguration": routes((two, 100))}):
            self.refused("ConflictException", "an alias with the same name and a different routing configuration", create,
                         name="live", **more)
        update = self.client.update_state_machine_alias
        self.refused("ValidationException", "Either description or routing configuration must be specified", update,
                     stateMachineAliasArn=live)
        updated = update(stateMachineAliasArn=live, routingConfiguration=routes((one, 10), (two, 90)))
        described = describe(stateMachineAliasArn=live)
        self.assertEqual((described["updateDate"], described["description"]), (updated["updateDate"], "d"))
        self.assertEqual(described["routingConfiguration"], routes((one, 10), (two, 90)))
        self.refused("ConflictException", "Current list of aliases referencing this version: [live]",
                     self.client.delete_state_machine_version, stateMachineVersionArn=two)
        for _ in range(2):
            self.client.delete_state_machine_alias(stateMachineAliasArn=live)
        self.refused("ResourceNotFound", live, describe, stateMachineAliasArn=live)
        self.refused("ResourceNotFound", live, update, stateMachineAliasArn=live, description="x")
        self.refused("StateMachineDoesNotExist", live, self.start, machine_arn=live)
        self.client.delete_state_machine_version(stateMachineVersionArn=two)

    def test_what_routing_refuses(self):
        arn, (one, two) = self.published("misrouted")
        other, (foreign,) = self.published("misrouted-other", 1)
        create = self.client.create_state_machine_alias
        for given, text in [
            (routes((arn, 100)), "must contain state machine version ARNs. Received: [%s]" % arn),
            (routes((one, 50), (one, 50)), "must contain distinct state machine version ARNs. Received: [%s, %s]" % (one, one)),
            (routes((one, 50), (foreign, 50)), "for the same state machine. Received: [%s, %s]" % (one, foreign)),
            (routes((one, 99)), "Sum of routing configuration weights must equal 100. Received: [99]"),
        ]:
            response = self.refused("ValidationException", text, create, name="live", routingConfiguration=given)
            self.assertEqual(response["reason"], "INVALID_ROUTING_CONFIGURATION")
        self.refused("ValidationException", r"pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", create, name="123",
                     routingConfiguration=routes((one, 100)))
        self.refused("ResourceNotFound", arn + ":9", create, name="live", routingConfiguration=routes((arn + ":9", 100)))

    def at_once(self, *calls):
        """what each call answered, all sent together: an error's code, or None"""
        def code(call):
            try:
                call()
                return None
            except self.client.exceptions.ClientError as error:
                return error.response["Error"]["Code"]
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(code, calls))

    def test_publications_at_once_make_one_version(self):
        arn = self.create("crowded", NAMES[1])
        self.at_once(*[lambda: self.client.publish_state_machine_version(stateMachineArn=arn)] * 6)
        self.assertEqual(self.listed(arn), ([arn + ":1"], None))

    def test_an_alias_never_routes_to_a_version_that_is_gone(self):
        arn, (one, _) = self.published("raced")
        for number in range(12):
            name, version = "alias-%d" % number, self.listed(arn)[0][-1]
            routed, removed = self.at_once(
                lambda: self.client.create_state_machine_alias(name=name, routingConfiguration=routes((version, 100))),
                lambda: self.client.delete_state_machine_version(stateMachineVersionArn=version))
            self.assertIn((routed, removed), [(None, "ConflictException"), ("ResourceNotFound", None)])
            self.client.delete_state_machine_alias(stateMachineAliasArn=arn + ":" + name)
            self.client.update_state_machine(stateMachineArn=arn, definition=NAMES[1 + number % 2], publish=True)

    def test_tags_of_a_version_are_none_and_system_tags_are_refused(self):
        arn, (one, _) = self.published("tagless")
        self.client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}])
        self.assertEqual(self.client.list_tags_for_resource(resourceArn=one)["tags"], [])
        with self.assertRaises(self.client.exceptions.ClientError) as raised:
            self.client.tag_resource(resourceArn=arn, tags=[{"key": "aws:x", "value": "b"}])
        self.assertEqual(raised.exception.response["Error"]["Code"], "AccessDeniedException")
        self.assertIn("not allowed to mutate system tags", str(raised.exception))

    def test_a_deleted_machine_takes_its_versions_and_aliases_along(self):
        arn, (one, _) = self.published("gone")
        self.client.create_state_machine_alias(name="live", routingConfiguration=routes((one, 100)))
        self.client.delete_state_machine(stateMachineArn=arn)
        for which in (one, arn + ":live"):
            self.refused("StateMachineDoesNotExist", which, self.start, machine_arn=which)
        fresh = self.client.create_state_machine(name="gone", definition=NAMES[1], roleArn=ROLE, publish=True)
        self.assertEqual(fresh["stateMachineVersionArn"], arn + ":1")

    def test_a_version_of_a_waiting_execution_may_go(self):
        made = self.client.create_state_machine(name="waits-on", definition=WAITS, roleArn=ROLE, publish=True)
        execution = self.start(made["stateMachineVersionArn"])
        self.client.delete_state_machine_version(stateMachineVersionArn=made["stateMachineVersionArn"])
        described = self.client.describe_execution(executionArn=execution)
        self.assertEqual((described["status"], described["stateMachineVersionArn"]),
                         ("RUNNING", made["stateMachineVersionArn"]))
        self.client.stop_execution(executionArn=execution)


if __name__ == "__main__":
    unittest.main()
