"""A collector that takes what OTLP's own definition takes: a field that this does not know is an error.

It listens on the address of its first argument, and writes each span that it was sent as a line of JSON.
"""

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces" and self.headers["content-type"] == "application/json", self.headers
        # JSON has ids in hex where protobuf has base64: both are texts to the parser, and lengths tell them apart.
        request = json_format.Parse(body, ExportTraceServiceRequest())
        for resource in request.resource_spans:
            names = {it.key: it.value.string_value for it in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    said = json_format.MessageToDict(span, preserving_proto_field_name=True)
                    print(json.dumps({"service": names["service.name"], "span": said}), flush=True)
        answer = json_format.MessageToJson(ExportTraceServiceResponse()).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(HTTPServer):
    address_family = socket.AF_INET6


server = Server((sys.argv[1], 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
