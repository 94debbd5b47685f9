#!/usr/bin/env python3
"""A web server on 127.0.0.1 for the tests of downloads: range_server.py FOLDER

Prints its port and process id, and serves FOLDER. The first part of the path chooses its manners:
  /plain/FILE     with byte ranges        /norange/FILE  always from the beginning
  /cut/FILE       promises all of the rest, sends half of it and hangs up
  /redirect/FILE  sends on to /plain/     /loop/FILE     sends on to itself
"""
import http.server
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def redirect(self, path):
        self.send_response(302)
        self.send_header("Location", path)
        self.end_headers()

    def do_GET(self):
        _, manner, name = self.path.split("/", 2)
        if manner == "redirect":
            return self.redirect("/plain/" + name)
        if manner == "loop":
            return self.redirect(self.path)
        path = os.path.join(sys.argv[1], os.path.basename(name))
        if not os.path.exists(path):
            return self.send_error(404)
        with open(path, "rb") as file:
            data = file.read()
        wanted = self.headers.get("Range")
        begin = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if wanted and manner != "norange":
            if begin >= len(data):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            data = data[begin:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if manner == "cut" else data)


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, os.getpid(), flush=True)
server.serve_forever()
