"""How the client handles temporary refusals and broken streams, with small misbehaving servers."""

import json
import threading
import unittest
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dari_client import ApiError, AsyncClient, Client, RetryRules, UnreachableError

Answer = Callable[[BaseHTTPRequestHandler, int], None]


class Misbehaving:
    """Gives each request the next answer, and records the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.seen.append((self.command, self.path, dict(self.headers.items()), body))
                answers[min(len(outer.seen), len(answers)) - 1](self, len(outer.seen))

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def reply(status: int, body: object, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler, _: int) -> None:
        text = json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"content-length": str(len(text)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(text)

    return answer


def hang_up(request: BaseHTTPRequestHandler, _: int) -> None:
    request.close_connection = True


def events(*numbers: int, last: str | None = None) -> Answer:
    """Sends these events and ends the stream, as a platform does when it shuts down."""

    def answer(request: BaseHTTPRequestHandler, _: int) -> None:
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.end_headers()
        request.wfile.write(b"retry: 1000\n\n: still here\n\n")
        for number in numbers:
            kind = last if last is not None and number == numbers[-1] else "agent.event"
            event = {"sequence_number": number, "type": kind, "session_id": "sess_1", "message_id": "msg_1", "data": {}}
            request.wfile.write(f"id: {number}\nevent: {kind}\ndata: {json.dumps(event)}\n\n".encode())
        request.close_connection = True

    return answer


busy = reply(503, {"detail": "busy", "code": "unavailable"}, retry_after="0")
limited = reply(429, {"detail": "slow down", "code": "limit_exceeded"}, retry_after="0")
row = reply(200, {"id": "sess_1"})


class Repeating(unittest.TestCase):
    def serve(self, *answers: Answer, **options: object) -> tuple[Misbehaving, Client]:
        server = Misbehaving(*answers)
        self.addCleanup(server.close)
        client = Client(server.url, "dari_key", **options)  # type: ignore[arg-type]
        self.addCleanup(client.close)
        return server, client

    def test_reads_are_sent_again(self) -> None:
        server, client = self.serve(busy, limited, hang_up, row)
        self.assertEqual(client.get_session("sess_1"), {"id": "sess_1"})
        self.assertEqual(len(server.seen), 4)

    def test_what_answers_in_the_platforms_place_passes(self) -> None:
        for status in (408, 502, 504):
            server, client = self.serve(reply(status, ""), row)
            self.assertEqual(client.get_session("sess_1"), {"id": "sess_1"})
            done = events(2, last="message.completed")
            server, client = self.serve(events(1), reply(status, ""), done)
            seen = [event.sequence_number for event in client.stream_message("msg_1")]
            self.assertEqual(seen, [1, 2])

    def test_a_creation_is_sent_again_under_the_same_key(self) -> None:
        server, client = self.serve(busy, hang_up, row)
        client.create_session("agt_1", {"name": "one"})
        keys = {headers["Idempotency-Key"] for _, _, headers, _ in server.seen}
        self.assertEqual((len(server.seen), len(keys)), (3, 1))
        self.assertEqual({body for *_, body in server.seen}, {b'{"name":"one"}'})

    def test_what_may_have_happened_is_not_done_twice(self) -> None:
        for answer, error in ((busy, ApiError), (hang_up, UnreachableError)):
            server, client = self.serve(answer, row)
            with self.assertRaises(error):
                client.complete_session("sess_1")
            self.assertEqual(len(server.seen), 1)

    def test_what_a_limit_refused_did_not_happen(self) -> None:
        server, client = self.serve(limited, row)
        client.complete_session("sess_1")
        self.assertEqual(len(server.seen), 2)

    def test_a_body_that_can_be_read_once_is_sent_once(self) -> None:
        server, client = self.serve(limited, row)
        with self.assertRaises(ApiError):
            client.put_session_file("sess_1", iter([b"a", b"b"]), path="/a")
        self.assertEqual(len(server.seen), 1)

    def test_who_asks_for_a_long_pause_is_believed(self) -> None:
        server, client = self.serve(reply(429, {"detail": "later", "code": "limit_exceeded"}, retry_after="3600"))
        with self.assertRaises(ApiError) as caught:
            client.get_session("sess_1")
        self.assertEqual((caught.exception.retry_after, len(server.seen)), (3600.0, 1))

    def test_what_is_no_reply_of_the_platform_is_said(self) -> None:
        def page(request: BaseHTTPRequestHandler, _: int) -> None:
            request.send_response(200)
            request.send_header("content-length", "6")
            request.end_headers()
            request.wfile.write(b"<html>")

        _, client = self.serve(page)
        with self.assertRaisesRegex(UnreachableError, "not JSON"):
            client.get_session("sess_1")

    def test_retries_have_an_end_and_can_be_turned_off(self) -> None:
        server, client = self.serve(busy, retries=RetryRules(max_retries=0))
        with self.assertRaises(ApiError):
            client.get_session("sess_1")
        self.assertEqual(len(server.seen), 1)

    def test_a_stream_goes_on_after_its_last_event(self) -> None:
        server, client = self.serve(events(1, 2), busy, hang_up, events(2, 3), events(4, last="message.completed"))
        seen = [event.sequence_number for event in client.stream_message("msg_1", after_seq=0)]
        self.assertEqual(seen, [1, 2, 3, 4])
        asked = [(path.partition("?")[2], headers.get("Last-Event-ID")) for _, path, headers, _ in server.seen]
        self.assertEqual(asked, [("after_seq=0", None), ("", "2"), ("", "2"), ("", "2"), ("", "3")])

    def test_an_event_of_an_unknown_type_is_read_like_any_other(self) -> None:
        server, client = self.serve(events(1, last="message.renamed"), events(2, last="message.completed"))
        seen = [(event.type, event.data) for event in client.stream_message("msg_1")]
        self.assertEqual(seen, [("message.renamed", {}), ("message.completed", {})])

    def test_a_sent_message_is_watched_and_not_sent_again(self) -> None:
        server, client = self.serve(hang_up, events(1, 2), events(3, last="message.failed"))
        body = {"parts": [{"type": "text", "text": "hi"}]}
        seen = [event.sequence_number for event in client.send_message_stream("sess_1", body)]  # type: ignore[arg-type]
        self.assertEqual(seen, [1, 2, 3])
        self.assertEqual([request[0] for request in server.seen], ["POST", "POST", "GET"])
        self.assertEqual(server.seen[0][2]["Idempotency-Key"], server.seen[1][2]["Idempotency-Key"])
        self.assertEqual(server.seen[2][1], "/v1/messages/msg_1/stream")


class RepeatingWithoutBlocking(unittest.IsolatedAsyncioTestCase):
    async def test_as_the_blocking_client(self) -> None:
        server = Misbehaving(busy, hang_up, row, events(1, 2), hang_up, events(3, last="message.completed"))
        self.addCleanup(server.close)
        async with AsyncClient(server.url, "dari_key") as client:
            self.assertEqual(await client.create_session("agt_1"), {"id": "sess_1"})
            seen = [event.sequence_number async for event in client.stream_message("msg_1")]
        self.assertEqual(seen, [1, 2, 3])
        self.assertEqual([headers.get("Last-Event-ID") for _, _, headers, _ in server.seen[3:]], [None, "2", "2"])


if __name__ == "__main__":
    unittest.main()
