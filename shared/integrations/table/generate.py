"""Derives `services.bin`, the table that Tasks of `aws-sdk:SERVICE:action` are called by, from botocore's models.

    generate.py            writes services.bin and results.bin beside this file, and the clients' names for `asl`
    generate.py --check    fails where they are not what it would write

Runs in the environment that `environment.py` makes. The format is read by
`../src/table.rs`. Numbers are LEB128, texts UTF-8 with their length before them:

    file       MAGIC, partitions, index of services by name, blocks
    partition  id, DNS suffix, dual-stack DNS suffix, what its regions begin with
    index      resource name, client name, offset of the block behind the index, its length packed and unpacked
    block      LZ4; head, strings, shapes, operations, errors, endpoints

Left out: services that speak CBOR alone or take other signatures than Signature Version 4, operations with event streams
(they are listed, as refused), patterns, limits (those of results are in results.bin), HTTP statuses of errors,
documentation.
"""

import gzip
import json
import pathlib
import sys

import environment

if __name__ == "__main__":
    environment.enter(__file__)

import botocore
import lz4.block

import endpoints
import names
import results

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "services.bin"
RESULTS = HERE / "results.bin"
# The names that begin errors, which the interpreter has to know, too: those that a single capital does not make.
CLIENTS = HERE.parents[1] / "asl" / "src" / "sdk_clients.txt"

MAGIC = b"stepwell services 1\n"
DATA = pathlib.Path(botocore.__file__).parent / "data"
# In the order of preference: emulators speak JSON rather than CBOR and query.
PROTOCOLS = ["json", "rest-json", "rest-xml", "query", "ec2"]
TYPES = "structure list map string integer long double float boolean timestamp blob".split()
LOCATIONS = [None, "header", "headers", "uri", "querystring", "statusCode"]
METHODS = "POST GET PUT DELETE PATCH HEAD".split()
STAMPS = [None, "iso8601", "unixTimestamp", "rfc822"]
SIGNATURES = ("v4", "s3", "s3v4")
# AWS has two generations of this service, which the naming rule does not tell apart.
SHADOWED = {"sms-voice"}
# AWS: the actions that Step Functions excludes, beside all event streams, as documented. Of those of discovery, CodeDeploy,
# Direct Connect, IoT and STS the list is unverified.
EXCLUDED = {
    ("codedeploy", "BatchGetDeploymentInstances"), ("codedeploy", "GetDeploymentInstance"),
    ("codedeploy", "ListDeploymentInstances"), ("codedeploy", "SkipWaitTimeForInstanceTermination"),
    ("comprehendmedical", "DetectEntities"),
    ("directconnect", "AllocateConnectionOnInterconnect"), ("directconnect", "DescribeConnectionLoa"),
    ("directconnect", "DescribeConnectionsOnInterconnect"), ("directconnect", "DescribeInterconnectLoa"),
    ("discovery", "DescribeExportConfigurations"), ("discovery", "ExportConfigurations"),
    ("efs", "CreateTags"), ("elastictranscoder", "TestRole"), ("emr", "DescribeJobFlows"),
    ("iot", "AttachPrincipalPolicy"), ("iot", "DetachPrincipalPolicy"), ("iot", "ListPolicyPrincipals"),
    ("iot", "ListPrincipalPolicies"), ("iotdeviceadvisor", "ListTestCases"), ("lambda", "InvokeAsync"),
    ("mediapackage", "RotateChannelCredentials"), ("rds-data", "ExecuteSql"), ("shield", "DeleteSubscription"),
    ("sts", "AssumeRole"), ("sts", "AssumeRoleWithSAML"), ("sts", "AssumeRoleWithWebIdentity"),
}


def stored(path):
    packed = path.with_name(path.name + ".gz")
    return json.loads(gzip.open(packed).read() if packed.exists() else path.read_bytes())


def latest(service):
    """The folder of a service's newest version."""
    versions = sorted(version for version in (DATA / service).iterdir() if version.is_dir())
    return versions[-1] if versions else None


def protocol(metadata):
    offered = metadata.get("protocols") or [metadata["protocol"]]
    return next((known for known in PROTOCOLS if known in offered), None)


def models():
    """The models that the table has: botocore's name and the model."""
    for service in sorted(folder.name for folder in DATA.iterdir() if folder.is_dir()):
        folder = latest(service)
        if folder is None or service in SHADOWED or not list(folder.glob("service-2.json*")):
            continue
        model = stored(folder / "service-2.json")
        if protocol(model["metadata"]) and model["metadata"].get("signatureVersion") in SIGNATURES:
            yield service, model


class Bytes:
    def __init__(self):
        self.data = bytearray()

    def number(self, value):
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)

    def text(self, text):
        data = text.encode()
        self.number(len(data))
        self.data += data


def namespace(trait):
    trait = trait or {}
    return (trait, "") if isinstance(trait, str) else (trait.get("uri", ""), trait.get("prefix") or "")


class Service:
    """One service on its way into a block."""

    def __init__(self, name, model):
        self.name, self.model, self.metadata = name, model, model["metadata"]
        self.protocol = protocol(self.metadata)
        self.strings, self.places, self.shapes = {"": 0}, {}, []

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def shape(self, name):
        """The number of a shape, which is packed when it is first asked for."""
        if name in self.places:
            return self.places[name]
        shape = self.model["shapes"][name]
        kind = TYPES.index("string" if shape["type"] == "character" else shape["type"])
        plain = kind > 2 and not (shape.get("timestampFormat") or shape.get("streaming") or shape.get("document"))
        # All plain scalars of a type are one shape.
        key = ("plain", kind) if plain else name
        if key in self.places:
            self.places[name] = self.places[key]
            return self.places[key]
        place = self.places[name] = self.places[key] = len(self.shapes)
        self.shapes.append(b"")
        out = Bytes()
        flags = bool(shape.get("flattened")) | bool(shape.get("streaming")) << 1 | bool(shape.get("document")) << 2
        out.number(kind | (flags | STAMPS.index(shape.get("timestampFormat")) << 3) << 4)
        if kind == 0:
            self.structure(shape, out)
        elif kind == 1:
            out.number(self.string(shape["member"].get("locationName") or ""))
            out.number(self.shape(shape["member"]["shape"]))
        elif kind == 2:
            for part in ("key", "value"):
                out.number(self.string(shape[part].get("locationName") or ""))
                out.number(self.shape(shape[part]["shape"]))
        self.shapes[place] = bytes(out.data)
        return place

    def structure(self, shape, out):
        # AWS: results show their members in the order of their names.
        members = sorted(shape.get("members", {}).items(), key=lambda item: names.member(item[0]))
        order = [name for name, _ in members]
        out.number(len(members))
        out.number(order.index(shape["payload"]) + 1 if shape.get("payload") in order else 0)
        for name, member in members:
            self.member(name, member, name in shape.get("required", []), out)

    def member(self, name, member, required, out):
        # A shape may name itself for the wire, and its namespace.
        shape = self.model["shapes"][member["shape"]]
        wire = member.get("locationName", shape.get("locationName"))
        space = member.get("xmlNamespace") or shape.get("xmlNamespace")
        if self.protocol in ("query", "ec2"):
            wire = member.get("queryName") or wire
        wire = None if wire == name else wire
        shown = None if names.member(name) == names.capitalized(name) else names.member(name)
        traits = [member.get("flattened"), member.get("xmlAttribute"), member.get("idempotencyToken"),
                  member.get("jsonvalue"), member.get("hostLabel"), required, member.get("streaming"),
                  space, wire is not None, shown is not None]
        flags = LOCATIONS.index(member.get("location")) | STAMPS.index(member.get("timestampFormat")) << 3
        out.number(flags | sum(bool(trait) << bit for bit, trait in enumerate(traits, 5)))
        out.number(self.string(name))
        for own in (wire, shown):
            if own is not None:
                out.number(self.string(own))
        if space:
            for part in namespace(space):
                out.number(self.string(part))
        out.number(self.shape(member["shape"]))

    def streams_events(self, operation):
        sides = [self.model["shapes"][operation[side]["shape"]] for side in ("input", "output") if side in operation]
        members = [member["shape"] for side in sides for member in side.get("members", {}).values()]
        return any(self.model["shapes"][shape].get("eventstream") for shape in members)

    def operation(self, name, operation, out):
        http, checksum = operation["http"], operation.get("httpChecksum") or {}
        streams = self.streams_events(operation)
        refused = streams or (self.name, name) in EXCLUDED
        given = {} if streams else operation
        host = (operation.get("endpoint") or {}).get("hostPrefix")
        unsigned_body = operation.get("authtype") == "v4-unsigned-body" or operation.get("unsignedPayload")
        root, wrapper = given.get("input", {}).get("locationName"), given.get("output", {}).get("resultWrapper")
        traits = ["input" in given, "output" in given, host, http["requestUri"] != "/",
                  operation.get("authtype") == "none", unsigned_body,
                  operation.get("httpChecksumRequired") or checksum.get("requestChecksumRequired"),
                  wrapper, root, checksum.get("requestAlgorithmMember"), refused]
        # The key and not the name: the names of CloudFront end in a version.
        out.number(self.string(name))
        out.number(METHODS.index(http["method"]) | sum(bool(trait) << bit for bit, trait in enumerate(traits, 3)))
        if http["requestUri"] != "/":
            out.number(self.string(http["requestUri"]))
        if host:
            out.number(self.string(host))
        if "input" in given:
            out.number(self.shape(given["input"]["shape"]))
            if root:
                out.number(self.string(root))
                out.number(self.string(namespace(given["input"].get("xmlNamespace"))[0]))
        if "output" in given:
            out.number(self.shape(given["output"]["shape"]))
            if wrapper:
                out.number(self.string(wrapper))
        if checksum.get("requestAlgorithmMember"):
            out.number(self.string(names.member(checksum["requestAlgorithmMember"])))

    def errors(self, out):
        found = {}
        for name, shape in sorted(self.model["shapes"].items()):
            if shape.get("exception"):
                found.setdefault((shape.get("error") or {}).get("code") or name, names.exception(name))
        out.number(len(found))
        for code, exception in sorted(found.items()):
            usual = code if code.endswith("Exception") else code + "Exception"
            out.number(self.string(code))
            out.number(0 if exception == usual else self.string(exception) + 1)

    def block(self, places):
        operations, errors = Bytes(), Bytes()
        for name, operation in sorted(self.model["operations"].items()):
            self.operation(name, operation, operations)
        self.errors(errors)
        head = Bytes()
        head.number(PROTOCOLS.index(self.protocol))
        for key in ("apiVersion", "jsonVersion", "targetPrefix", "endpointPrefix"):
            head.text(str(self.metadata.get(key) or ""))
        head.text(self.metadata.get("signingName") or self.metadata["endpointPrefix"])
        head.text(namespace(self.metadata.get("xmlNamespace"))[0])
        head.number("awsQueryCompatible" in self.metadata)
        head.number(len(self.strings))
        for text in self.strings:
            head.number(len(text.encode()))
        for text in self.strings:
            head.data += text.encode()
        head.number(len(self.shapes))
        for shape in self.shapes:
            head.data += shape
        head.number(len(self.model["operations"]))
        tail = Bytes()
        tail.number(len(places))
        for key, template in sorted(places.items()):
            tail.text(key)
            tail.text(template or "")
        return bytes(head.data + operations.data + errors.data + tail.data)


def clients():
    found = {names.service(model["metadata"]["serviceId"]) for _, model in models()}
    return "".join(name + "\n" for name in sorted(found, key=str.lower) if name != name.capitalize()).encode()


def tables():
    """The content of services.bin and of results.bin."""
    partitions = stored(DATA / "partitions.json")
    index, blocks, offset, services = {}, [], 0, []
    for name, model in models():
        rules = latest(name) / "endpoint-rule-set-1.json"
        service = Service(name, model)
        block = service.block(endpoints.exceptions(stored(rules), partitions, model["metadata"]))
        services.append((model, service))
        packed = lz4.block.compress(block, mode="high_compression", compression=12, store_size=False)
        client = names.service(model["metadata"]["serviceId"])
        assert client.lower() not in index, client
        index[client.lower()] = (client, offset, len(packed), len(block))
        blocks.append(packed)
        offset += len(packed)
    out = Bytes()
    out.data += MAGIC
    out.number(len(partitions["partitions"]))
    for partition in partitions["partitions"]:
        outputs = partition["outputs"]
        beginning = endpoints.beginning(partition["regionRegex"])
        for text in (partition["id"], outputs["dnsSuffix"], outputs["dualStackDnsSuffix"], beginning):
            out.text(text)
    out.number(len(index))
    for name, (client, *numbers) in sorted(index.items()):
        out.text(name)
        out.text(client)
        for number in numbers:
            out.number(number)
    return bytes(out.data) + b"".join(blocks), results.table(services, Bytes)


if __name__ == "__main__":
    made = {**dict(zip((TABLE, RESULTS), tables())), CLIENTS: clients()}
    if "--check" in sys.argv:
        other = [path.name for path, data in made.items() if path.read_bytes() != data]
        sys.exit("not what generate.py writes: %s" % ", ".join(other) if other else None)
    for path, data in made.items():
        path.write_bytes(data)
        print(path.name, len(data), "bytes")
