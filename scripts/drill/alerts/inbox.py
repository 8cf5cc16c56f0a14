"""Stands in for Slack and for a mail server, and remembers what both are sent: python inbox.py HTTP_PORT SMTP_PORT.

POST to any path is answered as an incoming webhook of Slack answers; GET /messages returns all that came, by HTTP and
by SMTP, oldest first. Of the standard library alone, so that it runs in any pod that has a Python.
"""

import email
import email.policy
import json
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ANSWERS = dict.fromkeys(["EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP"], "250 OK") | {"QUIT": "221 bye"}


class Inbox:
    """What was sent, in the order in which it came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[dict[str, object]] = []

    def keep(self, message: dict[str, object]) -> None:
        """Take one more."""
        with self._lock:
            self._messages.append(message)

    def messages(self) -> list[dict[str, object]]:
        """All that came, oldest first."""
        with self._lock:
            return list(self._messages)


def webhook_server(inbox: Inbox, port: int) -> ThreadingHTTPServer:
    """An HTTP server at `port` (0: any), not yet serving; keeps {"by": "webhook", path, body}, the body as JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                inbox.keep({"by": "webhook", "path": self.path, "body": json.loads(body)})
            except ValueError:
                self._answer(400, b"invalid_payload")  # Slack's word for it
                return
            self._answer(200, b"ok")

        def do_GET(self) -> None:
            if self.path == "/messages":
                self._answer(200, json.dumps(inbox.messages()).encode(), "application/json")
            else:
                self._answer(404, b"GET /messages")

        def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """What came is in the inbox."""

    return ThreadingHTTPServer(("", port), Handler)


class MailServer(socketserver.ThreadingTCPServer):
    """An SMTP server at `port` (0: any), not yet serving; keeps {"by": "email", sender, recipients, subject, text}.

    It knows the least that RFC 5321 asks of a server, without TLS or authentication.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, inbox: Inbox, port: int) -> None:
        super().__init__(("", port), _MailHandler)
        self.inbox = inbox


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        sender = ""
        recipients: list[str] = []
        self._say("220 inbox")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            answer = _ANSWERS.get(verb.upper(), "502 not implemented")
            match verb.upper():
                case "MAIL":
                    sender, recipients = _address(rest), []
                case "RCPT":
                    recipients.append(_address(rest))
                case "DATA":
                    self._say("354 go ahead")
                    self.server.inbox.keep(_mail(sender, recipients, self._data()))
            self._say(answer)
            if verb.upper() == "QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)  # RFC 5321, 4.5.2
        return b"".join(lines)


def _address(argument: str) -> str:
    """The address of `FROM:<a@b> BODY=8BITMIME`."""
    return argument.partition("<")[2].partition(">")[0]


def _mail(sender: str, recipients: list[str], data: bytes) -> dict[str, object]:
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    text = parsed.get_body(("plain",))
    return {
        "by": "email",
        "sender": sender,
        "recipients": recipients,
        "subject": parsed["subject"],
        "text": text.get_content().replace("\r\n", "\n") if text else "",
    }


if __name__ == "__main__":
    one = Inbox()
    servers = [webhook_server(one, int(sys.argv[1])), MailServer(one, int(sys.argv[2]))]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
