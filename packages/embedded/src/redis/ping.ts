// Asks a Redis whether it is alive and accepts the password. Uses four words of its protocol and no client library.

import { connect } from "node:net";

const timeoutMs = 2_000;

/** Returns whether the server on this loopback port accepts the password and answers PING. Never rejects. */
export async function ping(port: number, password: string): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: "127.0.0.1", timeout: timeoutMs });
  let text = "";
  socket.on("connect", () => socket.write(`AUTH ${password}\r\nPING\r\n`));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes("-")) answer.resolve(false);
    if (text.includes("+PONG")) answer.resolve(true);
  });
  for (const event of ["error", "timeout", "close"]) socket.on(event, () => answer.resolve(false));
  const alive = await answer.promise;
  socket.destroy();
  return alive;
}
