"""Stands before an emulator and gives its answers the wire form of AWS: the headers that AWS sends, and the errors that the
emulator does not have, which are answered as AWS answered.

What a workflow shows of an answer is then the server's own doing.
"""
import http.client
import http.server
import json
import re
import threading
import urllib.parse

REQUEST = "11111111-2222-4333-8444-555555555555"


def refused(code, message, query_code=None):
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    if query_code:
        headers["x-amzn-query-error"] = query_code + ";Sender"
    return 400, headers, body


def own_answer(target, body):
    """AWS's answer to a request that the emulator answers otherwise, or None"""
    if not target:
        return None
    service, action = target.split(".")
    given = json.loads(body or b"{}")
    if service.startswith("DynamoDB") and action == "PutItem":
        said = "1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s"
        if "Item" not in given:
            return refused("com.amazon.coral.validate#ValidationException", said % ("null", "item", "not be null"))
        if not re.fullmatch(r"[a-zA-Z0-9_.-]+", given["TableName"]):
            rule = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            return refused("com.amazon.coral.validate#ValidationException",
                           said % ("'%s'" % given["TableName"], "tableName", rule))
    if service == "AmazonSQS" and action == "SendMessage" and "MessageBody" not in given:
        return refused("com.amazon.coral.service#MissingRequiredParameterException",
                       "The request must contain the parameter MessageBody.", "MissingParameter")
    if service == "AWSEvents" and action == "PutEvents" and not is_object(given["Entries"][0]["Detail"]):
        entry = {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        body = json.dumps({"Entries": [entry], "FailedEntryCount": 1}).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body
    return None


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


class Wire(http.server.BaseHTTPRequestHandler):
    emulator = ""
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        status, headers, said = own_answer(target, body) or self.emulated(body)
        self.send_response_only(status)
        for name, value in self.aws_headers(target, body, status, headers).items():
            self.send_header(name, value)
        if target and target.startswith("DynamoDB") and b"ReturnConsumedCapacity" not in body:
            said = json.dumps({k: v for k, v in json.loads(said).items() if k != "ConsumedCapacity"}, separators=(",", ":")).encode()
        if target and target.startswith("AmazonSQS"):
            said = json.dumps(json.loads(said), separators=(",", ":")).encode()
        if not (status == 200 and self.command == "HEAD"):
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def emulated(self, body):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.emulator).netloc, timeout=20)
        connection.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() != "connection"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def aws_headers(self, target, body, status, headers):
        lower = {name.lower(): value for name, value in headers.items()}
        kept = {"x-amzn-RequestId": REQUEST, "Date": self.date_time_string()}
        for name in ("content-type", "x-amzn-query-error", "x-amzn-errortype"):
            if name in lower:
                kept[name] = lower[name]
        if target and target.startswith("DynamoDB"):
            return {**kept, "Server": "Server", "Connection": "keep-alive", "x-amz-crc32": "1"}
        if target and target.startswith("AmazonSQS") or body.startswith(b"Action="):
            return {**kept, "connection": "keep-alive"}
        if target:
            return kept
        # S3 tells much in its headers.
        its = {name: value for name, value in lower.items() if name not in ("content-length", "connection", "server", "date")}
        own = {"x-amz-request-id": REQUEST, "x-amz-id-2": "extended"}
        if self.command == "GET" and status == 200:
            own["x-amz-server-side-encryption"] = "AES256"
        return {**its, **own}

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


def before(emulator):
    """the URL of a server before the emulator, for as long as the process runs"""
    handler = type("Handler", (Wire,), {"emulator": emulator})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % server.server_port
