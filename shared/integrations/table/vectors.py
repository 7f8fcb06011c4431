"""Test vectors for calls through the SDK, made offline: requests as botocore writes them, answers as botocore reads them.

    vectors.py PER_PROTOCOL SEED

Prints a line of JSON for each: {"kind": "request" | "answer" | "error", "protocol", "service", "action", ...}. A request has
the input in the names and forms of Step Functions; an answer and an error have status, headers and body, and what Step
Functions shows of them. Input values are random for the seed. botocore is the oracle: the bytes of answers are written here,
and read by its parser. PER_PROTOCOL 0 is every operation. Runs in the environment that `environment.py` makes.
"""

import base64
import datetime
import json
import random
import re
import sys
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

import environment

if __name__ == "__main__":
    environment.enter(__file__)

from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

import generate
import names

UTC = datetime.timezone.utc
TEXTS = ["alpha", "Beta-2", "x/y z", "é?&=+", '"quoted"', "a" * 20, "<tag>&amp;", "日本 𝄞", " blanks "]
NUMBERS = {"integer": [0, 1, 42, -7, 2147483647], "long": [0, 1, 9007199254740993],
           "double": [0.5, 1.25, 3.0, -0.125], "float": [0.5, 1.25, 3.0]}
TIMES = [datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC), datetime.datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)]
REQUEST_ID = "11111111-2222-3333-4444-555555555555"


class Headers(dict):
    def get(self, key, default=None):
        return dict.get(self, key.lower(), default)

    def __getitem__(self, key):
        return dict.__getitem__(self, key.lower())

    def __contains__(self, key):
        return dict.__contains__(self, key.lower())


def is_document(shape):
    return getattr(shape, "is_document_type", False)


def is_union(shape):
    return getattr(shape, "is_tagged_union", False)


def streams(shape):
    return shape.serialization.get("streaming")


class Values:
    """Random values of shapes."""

    def __init__(self, random_numbers):
        self.random = random_numbers

    def text(self, shape, in_header):
        if shape.enum:
            return self.random.choice(shape.enum)
        text = self.random.choice(TEXTS)
        if in_header:
            text = re.sub(r"[^ -~]|\"", "e", text).strip()
        text += "q" * max(0, shape.metadata.get("min", 0) - len(text))
        return text[:max(1, shape.metadata.get("max", 1 << 30))].strip() if in_header else text

    def of(self, shape, depth=0, in_header=False):
        kind = shape.type_name
        if is_document(shape):
            return {"doc": [1, "two", None]}
        if kind == "structure":
            return self.structure(shape, depth)
        if kind == "list":
            most = 1 if depth > 3 else self.random.choice([1, 1, 2])
            return [self.of(shape.member, depth + 1, in_header) for _ in range(most)]
        if kind == "map":
            keys = [self.random.choice(shape.key.enum)] if shape.key.enum else ["k0", "k-é"][:1 if depth > 2 or in_header else 2]
            return {key: self.of(shape.value, depth + 1, in_header) for key in keys}
        if kind in ("string", "character"):
            return self.text(shape, in_header)
        if kind in NUMBERS:
            return self.random.choice(NUMBERS[kind])
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "timestamp":
            return self.random.choice(TIMES)
        assert kind == "blob", kind
        return b"hdr" if in_header else "bytes €".encode()

    def structure(self, shape, depth):
        members = [(name, member) for name, member in shape.members.items()
                   if not member.serialization.get("eventstream") and not member.serialization.get("jsonvalue")]
        if is_union(shape):
            members = [self.random.choice(members)]
        made = {}
        for name, member in members:
            needed = name in shape.required_members or is_union(shape)
            if depth > 8 or (depth > 3 and not needed and member.type_name in ("structure", "list", "map")):
                continue
            if needed or self.random.random() < (0.8 if depth == 0 else 0.5):
                location = member.serialization.get("location")
                made[name] = self.of(member, depth + 1, location in ("header", "headers", "uri"))
        return made


def shown(value, shape):
    """A value of botocore's in the names and forms of Step Functions."""
    if value is None or is_document(shape):
        return value
    if shape.type_name == "structure":
        members = {names.member(name): shown(item, shape.members[name])
                   for name, item in value.items() if name in shape.members}
        return dict(sorted(members.items()))
    if shape.type_name == "list":
        return [shown(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: shown(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode() if isinstance(value, (bytes, bytearray)) else value


# ---- requests ----

def quoting_streams(value, shape):
    """Streamed input is the value's JSON, as AWS sends it; everything else stays."""
    payload = shape.serialization.get("payload")
    if payload in value and streams(shape.members[payload]):
        return {**value, payload: json.dumps(value[payload].decode(), ensure_ascii=False).encode()}
    return value


def canonical(request):
    body = request.get("body") or b""
    if isinstance(body, dict):
        content = {"form": sorted([name, str(value)] for name, value in body.items())}
    else:
        content = {"body": (body if isinstance(body, str) else bytes(body).decode())}
    url = urlsplit(request["url_path"])
    query = [list(pair) for pair in parse_qsl(url.query, keep_blank_values=True)]
    more = request.get("query_string") or {}
    for name, value in more.items() if isinstance(more, dict) else more:
        query += [[name, str(item)] for item in (value if isinstance(value, list) else [value])]
    headers = sorted([name.lower(), value.decode() if isinstance(value, bytes) else str(value)]
                     for name, value in dict(request["headers"]).items())
    return {"method": request["method"], "path": url.path, "query": sorted(query), "headers": headers, **content}


def request_vector(protocol, operation, values):
    value = values.of(operation.input_shape)
    serializer = create_serializer(protocol, include_validation=False)
    written = serializer.serialize_to_request(quoting_streams(value, operation.input_shape), operation)
    return {"input": shown(value, operation.input_shape), "request": canonical(written)}


# ---- answers ----

def stamped(time, shape, usual):
    kind = (shape.serialization.get("timestampFormat") or usual).lower()
    if kind == "iso8601":
        return time.strftime("%Y-%m-%dT%H:%M:%SZ")
    return int(time.timestamp()) if kind == "unixtimestamp" else time.strftime("%a, %d %b %Y %H:%M:%S GMT")


def wire(shape, name):
    return shape.members[name].serialization.get("name", name)


def to_json(value, shape):
    kind = shape.type_name
    if is_document(shape):
        return value
    if kind == "structure":
        return {wire(shape, name): to_json(item, shape.members[name]) for name, item in value.items()}
    if kind == "list":
        return [to_json(item, shape.member) for item in value]
    if kind == "map":
        return {key: to_json(item, shape.value) for key, item in value.items()}
    if kind == "timestamp":
        return stamped(value, shape, "unixTimestamp")
    return base64.b64encode(value).decode() if kind == "blob" else value


def scalar_text(value, shape):
    if shape.type_name == "timestamp":
        return str(stamped(value, shape, "iso8601"))
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_xml(value, shape, tag, protocol):
    kind, flat = shape.type_name, shape.serialization.get("flattened")
    if kind == "structure":
        attributes, inner = "", ""
        for name, item in value.items():
            member, own = shape.members[name], wire(shape, name)
            if member.serialization.get("xmlAttribute"):
                attributes += ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" %s="%s"' % (
                    own, escape(str(item), {'"': "&quot;"}))
            else:
                inner += to_xml(item, member, own, protocol)
        return "<%s%s>%s</%s>" % (tag, attributes, inner, tag)
    if kind == "list":
        own = shape.member.serialization.get("name")
        if flat:
            return "".join(to_xml(item, shape.member, own or tag, protocol) for item in value)
        own = own or ("item" if protocol == "ec2" else "member")
        return "<%s>%s</%s>" % (tag, "".join(to_xml(item, shape.member, own, protocol) for item in value), tag)
    if kind == "map":
        tags = [shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")]
        rows = [to_xml(key, shape.key, tags[0], protocol) + to_xml(item, shape.value, tags[1], protocol)
                for key, item in value.items()]
        around = tag if flat else "entry"
        rows = "".join("<%s>%s</%s>" % (around, row, around) for row in rows)
        return rows if flat else "<%s>%s</%s>" % (tag, rows, tag)
    return "<%s>%s</%s>" % (tag, escape(scalar_text(value, shape)), tag)


def header_text(value, shape):
    if shape.type_name == "timestamp":
        return str(stamped(value, shape, "rfc822"))
    if isinstance(value, list):
        return ",".join(map(str, value))
    return scalar_text(value, shape)


def rest_answer(operation, value, protocol):
    shape, headers, body = operation.output_shape, {}, {}
    for name, item in value.items():
        member = shape.members[name]
        location = member.serialization.get("location")
        if location == "header":
            headers[wire(shape, name).lower()] = header_text(item, member)
        elif location == "headers":
            headers.update((wire(shape, name).lower() + key, str(part)) for key, part in item.items())
        elif location != "statusCode":
            body[name] = item
    payload = shape.serialization.get("payload")
    if payload:
        member, item = shape.members[payload], body[payload]
        if member.type_name == "blob":
            return headers, item
        if member.type_name == "string":
            return headers, item.encode()
        if protocol == "rest-json":
            return headers, json.dumps(to_json(item, member)).encode()
        return headers, to_xml(item, member, member.serialization.get("name", payload), protocol).encode()
    if protocol == "rest-json":
        return headers, json.dumps({wire(shape, name): to_json(item, shape.members[name])
                                    for name, item in body.items()}).encode()
    return headers, to_xml(body, shape, operation.name + "Result", protocol).encode()


def answer_bytes(operation, value, protocol):
    shape = operation.output_shape
    if protocol in ("rest-json", "rest-xml"):
        return rest_answer(operation, value, protocol)
    if protocol == "json":
        return {}, json.dumps(to_json(value, shape)).encode()
    if protocol == "ec2":
        return {}, to_xml(value, shape, operation.name + "Response", protocol).encode()
    inner = to_xml(value, shape, shape.serialization.get("resultWrapper") or operation.name + "Result", protocol)
    return {}, ('<%sResponse xmlns="urn:x">%s<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></%sResponse>'
                % (operation.name, inner, operation.name)).encode()


class Stream:
    """A body as botocore sees one that streams."""

    def __init__(self, body):
        self.body = body

    def read(self, *_):
        body, self.body = self.body, b""
        return body


def answer_vector(protocol, operation, values):
    shape = operation.output_shape
    value = values.of(shape)
    payload = shape.serialization.get("payload")
    if payload and payload not in value:
        value[payload] = values.of(shape.members[payload], 1)
    headers, body = answer_bytes(operation, value, protocol)
    headers = {"x-amzn-requestid": REQUEST_ID, **headers}
    seen = Stream(body) if operation.has_streaming_output else body
    answer = {"status_code": 200, "headers": Headers(headers), "body": seen, "context": {"operation_name": operation.name}}
    parsed = create_parser(protocol).parse(answer, shape)
    parsed.pop("ResponseMetadata", None)
    return {"status": 200, "headers": headers, "body": body.decode(), "output": shown(parsed, shape)}


# ---- errors ----

def error_answer(protocol, code, message):
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": "com.amazonaws.x#" + code, "message": message})
        return {"x-amzn-requestid": REQUEST_ID, **({"x-amzn-errortype": code + ":http://x/"} if protocol == "rest-json" else {})}, body
    error = "<Error><Code>%s</Code><Message>%s</Message></Error>" % (escape(code), escape(message))
    if protocol == "ec2":
        return {}, "<Response><Errors>%s</Errors><RequestID>%s</RequestID></Response>" % (error, REQUEST_ID)
    return {}, "<ErrorResponse>%s<RequestId>%s</RequestId></ErrorResponse>" % (error, REQUEST_ID)


def error_vector(protocol, service, model, random_numbers):
    client = names.service(service.metadata["serviceId"])
    modelled = {(shape.get("error") or {}).get("code") or name: names.exception(name)
                for name, shape in sorted(model["shapes"].items(), reverse=True) if shape.get("exception")}
    code = random_numbers.choice(sorted(modelled) + ["SomethingElse"])
    name = modelled.get(code, client + "Exception")
    headers, body = error_answer(protocol, code, "it is <so>")
    cause = "it is <so> (Service: %s, Status Code: 400, Request ID: %s) (SDK Attempt Count: 1)" % (client, REQUEST_ID)
    return {"status": 400, "headers": headers, "body": body, "error": client + "." + name, "cause": cause}


def operations(random_numbers):
    """Every operation by protocol, one of each service in turn."""
    found = {}
    for folder, model in generate.models():
        protocol = generate.protocol(model["metadata"])
        model["metadata"].update(protocol=protocol, protocols=[protocol])
        service = ServiceModel(model, folder)
        own = [(service, model, name) for name in sorted(model["operations"])]
        random_numbers.shuffle(own)
        found.setdefault(protocol, []).extend(enumerate(own))
    for protocol, own in found.items():
        random_numbers.shuffle(own)
        found[protocol] = [item for _, item in sorted(own, key=lambda pair: pair[0])]
    return found


def main(most, seed):
    random_numbers = random.Random(seed)
    values = Values(random_numbers)
    for protocol, own in operations(random_numbers).items():
        left = {"request": most or 1 << 30, "answer": most or 1 << 30, "error": most or 1 << 30}
        for service, model, name in own:
            operation = service.operation_model(name)
            if operation.has_event_stream_input or operation.has_event_stream_output:
                continue
            if (operation.service_model.service_name, name) in generate.EXCLUDED:
                continue
            head = {"protocol": protocol, "service": names.service(service.metadata["serviceId"]).lower(),
                    "action": names.action(name)}
            makers = {"request": operation.input_shape and (lambda: request_vector(protocol, operation, values)),
                      "answer": operation.output_shape and (lambda: answer_vector(protocol, operation, values)),
                      "error": lambda: error_vector(protocol, service, model, random_numbers)}
            for kind, maker in makers.items():
                if not maker or left[kind] == 0:
                    continue
                try:
                    line = json.dumps({"kind": kind, **head, **maker()}, ensure_ascii=False)
                except Exception as refused:  # botocore refuses some random input, such as an empty label
                    print("%s %s %s: %r" % (kind, head["service"], name, refused), file=sys.stderr)
                    continue
                left[kind] -= 1
                print(line)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
