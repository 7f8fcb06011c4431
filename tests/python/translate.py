"""Translates a SAM template for one region, as CloudFormation would, and prints what it becomes.

    translate.py TEMPLATE REGION
"""

import json
import os
import sys

REGION = sys.argv[2]
# The translator asks boto3 once for the region that it is in.
os.environ["AWS_DEFAULT_REGION"] = REGION

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class ManagedPolicies:
    """None by name: the template names what it needs."""

    def load(self):
        return {}


def main():
    with open(sys.argv[1]) as template:
        document = yaml_parse(template.read())
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam package` makes of a folder.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    print(json.dumps(transform(document, {}, ManagedPolicies())))


if __name__ == "__main__":
    main()
