// Just enough of PostgreSQL's protocol to see that a server answers and refuses a wrong password. No client library.

import { connect } from "node:net";

/** The server's first message to this user: "R" with a code asks for a password (10 = SCRAM), "E" is a refusal. */
export async function greet(port: number, user: string): Promise<{ readonly type: string; readonly code: number }> {
  const words = Buffer.from(`\0\0\0\0\0\x03\0\0user\0${user}\0database\0postgres\0\0`, "latin1");
  words.writeInt32BE(words.length, 0);
  const socket = connect({ port, host: "127.0.0.1" });
  const answer = Promise.withResolvers<Buffer>();
  socket.once("error", answer.reject).once("data", answer.resolve);
  socket.write(words);
  const reply = await answer.promise;
  socket.destroy();
  return { type: String.fromCharCode(reply[0] ?? 0), code: reply.readInt32BE(5) };
}
