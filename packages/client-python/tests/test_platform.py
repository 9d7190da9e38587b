"""The client against a running platform: DARI_API_URL, DARI_API_KEY and DARI_AGENT_ID of an agent that echoes."""

import asyncio
import io
import os
import tempfile
import unittest
from pathlib import Path

from dari_client import ApiError, AsyncClient, Client, UnreachableError, each_row, each_row_async

API_URL = os.environ["DARI_API_URL"]
API_KEY = os.environ["DARI_API_KEY"]
AGENT_ID = os.environ["DARI_AGENT_ID"]
HELLO = {"parts": [{"type": "text", "text": "hello"}]}


class BlockingClient(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Client(API_URL, API_KEY)
        self.addCleanup(self.client.close)
        self.session = self.client.create_session(AGENT_ID, {"metadata": {"of": self.id()}})["id"]

    def test_a_message_with_a_file_changes_the_workspace(self) -> None:
        message = self.client.send(self.session, "hello", files=[("note.txt", io.BytesIO(b"a note"))])
        self.assertEqual(message["status"], "completed")
        self.assertEqual(message["output"]["parts"], [{"type": "text", "text": "hello"}])
        self.assertEqual([change["path"] for change in message["files_changed"]], ["/said.txt"])
        self.assertEqual(self.client.get_session_file_content(self.session, path="/input/note.txt").read(), b"a note")
        self.assertIn("+hello", self.client.get_message_diff(message["id"]))
        self.assertIn("printed hello", self.client.get_message_logs(message["id"]))

    def test_people_are_invited_by_a_link_that_is_shown_once(self) -> None:
        person = {"email": "python@people.example", "role": "member"}
        invited = self.client.create_invitation("current", person)
        self.assertIn("/console/join#dinv_", invited["url"])
        listed = list(each_row(self.client.list_invitations, "current"))
        self.assertNotIn("url", [one for one in listed if one["id"] == invited["id"]][0])
        self.assertTrue(self.client.delete_invitation("current", invited["id"])["deleted"])
        self.assertEqual(self.client.get_me()["method"], "key")

    def test_waiting_calls_answer_with_the_end(self) -> None:
        self.assertEqual(self.client.send_message_sync(self.session, HELLO)["status"], "completed")
        self.assertEqual(self.client.send_message(self.session, HELLO)["status"], "completed")

    def test_a_stream_shows_every_event_once_and_ends(self) -> None:
        events = list(self.client.send_message_stream(self.session, HELLO))
        self.assertEqual(events[-1].type, "message.completed")
        ledger = each_row(self.client.list_events, self.session, limit=3)
        listed = [event["sequence_number"] for event in ledger if event.get("message_id") == events[-1].message_id]
        numbers = [event.sequence_number for event in events if not event.is_preview]
        self.assertEqual(numbers, listed)
        again = list(self.client.stream_message(events[-1].message_id, after_seq=numbers[1]))
        self.assertEqual([event.sequence_number for event in again], numbers[2:])
        self.assertEqual(list(self.client.stream_message(events[-1].message_id, after_seq=numbers[-1])), [])

    def test_a_key_makes_a_creation_happen_once(self) -> None:
        first = self.client.create_session(AGENT_ID, {"name": "one"}, idempotency_key="py-" + self.session)
        again = self.client.create_session(AGENT_ID, {"name": "one"}, idempotency_key="py-" + self.session)
        self.assertEqual(first["id"], again["id"])

    def test_a_batch_is_counted_to_its_end_and_a_schedule_knows_when_it_is_due(self) -> None:
        sessions = [{**HELLO, "metadata": {"n": n}} for n in range(3)]
        batch = self.client.create_session_batch({"agent_id": AGENT_ID, "sessions": sessions})
        for row in each_row(self.client.list_batch_sessions, batch["id"], limit=2):
            self.client.wait_for_message(row["message_id"])
        ended = self.client.get_session_batch(batch["id"])
        self.assertEqual((ended["status"], ended["counts"]["completed"]), ("ended", 3))
        schedule = self.client.create_schedule({"agent_id": AGENT_ID, "cron": "0 9 * * MON", **HELLO})
        self.assertRegex(schedule["next_due_at"], "T09:00:00.000Z$")
        paused = self.client.update_schedule(schedule["id"], {"status": "paused"})
        self.assertIsNone(paused["next_due_at"])
        self.assertEqual(self.client.list_schedule_firings(schedule["id"])["data"], [])
        self.client.delete_schedule(schedule["id"])

    def test_large_contents_are_sent_and_saved_in_pieces(self) -> None:
        content = os.urandom(3_000_000)
        file = self.client.upload_file(io.BytesIO(content), "large.bin")
        self.assertEqual(file["size_bytes"], len(content))
        with tempfile.TemporaryDirectory() as folder:
            self.client.get_file_content(file["id"]).save(Path(folder, "copy"))
            self.assertEqual(Path(folder, "copy").read_bytes(), content)
        pieces = (content[at : at + 100_000] for at in range(0, len(content), 100_000))
        written = self.client.put_session_file(self.session, pieces, path="/large.bin")
        self.assertEqual(written["files_changed"][0]["size_bytes"], len(content))
        part = self.client.get_session_file_content(self.session, path="/large.bin", range="bytes=0-9").read()
        self.assertEqual(part, content[:10])

    def test_lists_go_from_page_to_page(self) -> None:
        made = {self.client.create_session(AGENT_ID, {"metadata": {"batch": self.session}})["id"] for _ in range(3)}
        rows = each_row(self.client.list_sessions, limit=2, metadata={"batch": self.session})
        self.assertEqual({row["id"] for row in rows}, made)

    def test_refusals_have_their_code_and_problems(self) -> None:
        with self.assertRaises(ApiError) as caught:
            self.client.send_message_async(self.session, {"parts": []})
        error = caught.exception
        self.assertEqual((error.status, error.code, error.errors[0]["path"]), (422, "invalid", "parts"))
        self.assertIsNotNone(error.request_id)
        with self.assertRaisesRegex(ApiError, r"^session_id: expected an id.*\(422 invalid\)$"):
            self.client.get_session("no id")
        with self.assertRaises(ApiError) as caught, Client(API_URL, "dari_wrong") as stranger:
            stranger.list_agents()
        self.assertEqual(caught.exception.status, 401)
        with self.assertRaises(UnreachableError), Client("http://127.0.0.1:1") as nobody:
            nobody.list_agents()

    def test_keys_credentials_and_deletions(self) -> None:
        key = self.client.create_api_key("current", {"label": "py", "scopes": ["read"]})
        with Client(API_URL, key["api_key"]) as reader:
            self.assertIn(AGENT_ID, [agent["id"] for agent in each_row(reader.list_agents)])
        self.assertTrue(self.client.revoke_api_key("current", key["id"])["deleted"])
        self.assertTrue(self.client.put_credential("current", "PY_TOKEN", {"value": "x"})["created"])
        self.assertTrue(self.client.delete_credential("current", "PY_TOKEN")["deleted"])
        self.assertEqual(self.client.complete_session(self.session)["status"], "completed")
        self.assertTrue(self.client.delete_session(self.session)["deleted"])


class AsynchronousClient(unittest.IsolatedAsyncioTestCase):
    async def test_many_sessions_at_once(self) -> None:
        async with AsyncClient(API_URL, API_KEY) as client:
            sessions = [(await client.create_session(AGENT_ID))["id"] for _ in range(4)]
            texts = [f"to {session}" for session in sessions]
            files = [("a.txt", b"a"), ("b.txt", b"b")]
            messages = await asyncio.gather(
                *(client.send(session, text, files=files) for session, text in zip(sessions, texts))
            )
            self.assertEqual([message["output"]["parts"][0]["text"] for message in messages], texts)
            content = await client.get_session_file_content(sessions[0], path="/input/a.txt")
            self.assertEqual(await content.read(), b"a")
            rows = [row["id"] async for row in each_row_async(client.list_messages, sessions[0], limit=1)]
            self.assertEqual(rows, [messages[0]["id"]])

    async def test_streams_uploads_and_refusals(self) -> None:
        async with AsyncClient(API_URL, API_KEY) as client:
            session = (await client.create_session(AGENT_ID))["id"]
            events = [event async for event in client.send_message_stream(session, HELLO)]
            self.assertEqual(events[-1].type, "message.completed")

            async def pieces():
                yield b"first "
                yield b"second"

            written = await client.put_session_file(session, pieces(), path="/both.txt")
            self.assertEqual(written["files_changed"][0]["size_bytes"], 12)
            with self.assertRaises(ApiError) as caught:
                await client.get_session("sess_unknown")
            self.assertEqual(caught.exception.status, 404)


if __name__ == "__main__":
    unittest.main()
