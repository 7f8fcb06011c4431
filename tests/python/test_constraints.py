"""Every constraint of botocore's own service model, member by member: each is refused by it, in the words of AWS's front end."""
import re
import unittest

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from stepfunctions import Case

MODEL = botocore.session.get_session().get_service_model("stepfunctions")
# A text is not made longer than this.
LONGEST = 1 << 20
# Of these AWS bounds the bytes.
PAYLOADS = ("SensitiveData", "SensitiveDataJobInput")
# Each breaks some of the patterns.
STRANGE = ("\u00e9", "1", "a b")


def valid(shape, name):
    """the least value that a shape allows"""
    kind = shape.type_name
    if kind == "structure":
        return {key: valid(member, key) for key, member in shape.members.items() if key in shape.required_members}
    if kind == "list":
        return [valid(shape.member, name)] * max(1, shape.metadata.get("min", 0))
    if kind in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 0)
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 0
    if shape.enum:
        return shape.enum[0]
    return "a" * max(1, shape.metadata.get("min", 0))


def violations(shape, path):
    """(value, where, rule) for each constraint of a shape and of what is in it"""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        for name, member in shape.members.items():
            at = "%s.%s" % (path, name) if path else name
            for value, where, rule in violations(member, at):
                yield {**valid(shape, path), name: value}, where, rule
            if name in shape.required_members:
                without = valid(shape, path)
                without.pop(name)
                yield without, at, "Member must not be null"
    elif kind == "list":
        for value, where, rule in violations(shape.member, path + ".1.member"):
            yield [value], where, rule
        if limits.get("min", 0) > 0:
            yield [], path, "Member must have length greater than or equal to %d" % limits["min"]
        if "max" in limits:
            many = [valid(shape.member, path)] * (limits["max"] + 1)
            yield many, path, "Member must have length less than or equal to %d" % limits["max"]
    elif kind in ("integer", "long", "float", "double"):
        if "min" in limits:
            yield limits["min"] - 1, path, "Member must have value greater than or equal to %d" % limits["min"]
        if "max" in limits:
            yield limits["max"] + 1, path, "Member must have value less than or equal to %d" % limits["max"]
    elif kind == "string":
        if shape.enum:
            yield "NONE_OF_THEM", path, sorted(shape.enum)
            return
        if limits.get("min", 0) > 0:
            yield "", path, "Member must have length greater than or equal to %d" % limits["min"]
        if limits.get("max", LONGEST) < LONGEST:
            bound = "length less than or equal to %d" % limits["max"]
            if shape.name in PAYLOADS:
                bound = "size less than or equal to %d bytes in UTF-8 encoding" % limits["max"]
            yield "a" * (limits["max"] + 1), path, "Member must have " + bound
        pattern = limits.get("pattern", "")
        python = re.compile(pattern.replace("\\p{ASCII}", "[\\x00-\\x7f]"), re.DOTALL)
        for text in STRANGE if pattern else ():
            if not python.fullmatch(text):
                yield text, path, "Member must satisfy regular expression pattern: " + pattern


class Constraints(Case):
    def test_each_constraint_is_checked(self):
        plain = Config(parameter_validation=False, retries={"max_attempts": 0}, read_timeout=10)
        client = boto3.client("stepfunctions", config=plain)
        checked, wrong = 0, []
        for name in MODEL.operation_names:
            operation = MODEL.operation_model(name)
            call = getattr(client, botocore.xform_name(name))
            for members, where, rule in violations(operation.input_shape, ""):
                checked += 1
                values = rule if isinstance(rule, list) else None
                rule = "Member must satisfy enum value set: [" if values else rule
                expected = "at '%s' failed to satisfy constraint: %s" % (where, rule)
                try:
                    call(**members)
                    told = "taken"
                except ClientError as error:
                    told = "%(Code)s: %(Message)s" % error.response["Error"]
                listed = told.partition(expected)[2].partition("]")[0]
                right_values = values is None or sorted(listed.split(", ")) == values
                if not told.startswith("ValidationException") or expected not in told or not right_values:
                    wrong.append("%s %s: expected '%s', got %s" % (name, where, expected, told[:200]))
        self.assertGreater(checked, 150)
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
