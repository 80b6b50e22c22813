"""What schemathesis sends is proved by a technician's session, asks for what is there now and then, and gets no 5xx but 503."""

import base64
import json
import os
import socket

import requests
import schemathesis

# Where the test proves requests, if this run has sessions at all.
PROVES = os.environ.get("REMIT_PROVES")
# Names of what is there: what a fuzzer makes up finds nothing.
KNOWN = json.loads(os.environ.get("REMIT_KNOWN", "{}"))


class Proved(requests.auth.AuthBase):
    """Sees a request as it goes over the wire."""

    def __call__(self, request):
        if not PROVES:
            return request
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        asked = {"method": request.method, "target": request.path_url, "body": base64.b64encode(body).decode()}
        host, port = PROVES.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as line, line.makefile("rw") as file:
            file.write(json.dumps(asked) + "\n")
            file.flush()
            for name, value in json.loads(file.readline()).items():
                request.headers[name] = value
        return request


schemathesis.auth.set_from_requests(Proved())


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of them name what is there."""
    for name, value in (path_parameters or {}).items():
        if name in KNOWN and len(str(value)) % 2 == 0:
            path_parameters[name] = KNOWN[name]
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """The same of bodies."""
    if isinstance(body, dict):
        for name in body.keys() & KNOWN.keys():
            if len(str(body[name])) % 2 == 0:
                body[name] = KNOWN[name]
    return body


@schemathesis.check
def only_busy(context, response, case):
    """The hub's own fault is 503, and says when to come back."""
    after = response.headers.get("retry-after", [""])
    after = after[0] if isinstance(after, list) else after
    is_busy = response.status_code == 503 and after.isdigit()
    assert response.status_code < 500 or is_busy, f"{response.status_code} with Retry-After {after!r}"
