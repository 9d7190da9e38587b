// Lines of JSON on one inherited descriptor. This process ends when the host closes it.

import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";

// Saved before the agent's code runs, which may replace the globals.
const { parse, stringify } = JSON;
const exit = process.exit.bind(process);

export function openChannel(fd) {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.once("close", () => exit(0));
  socket.on("error", () => {});

  return {
    listen(onFrame) {
      socket.on("data", openLines(onFrame));
      socket.once("end", () => exit(0));
    },
    /** Resolves when the host accepts more, so a caller that awaits it cannot fill the buffer. */
    send(frame) {
      return this.sendLine(stringify(frame));
    },
    sendLine(line) {
      if (socket.write(`${line}\n`)) return Promise.resolve();
      return new Promise((resolve) => socket.once("drain", resolve));
    },
    ref: () => socket.ref(),
    unref: () => socket.unref(),
  };
}

/** Accepts chunks of bytes and passes on the frame of each line. */
export function openLines(onFrame) {
  const decoder = new StringDecoder("utf8");
  let rest = [];
  return (chunk) => {
    const lines = decoder.write(chunk).split("\n");
    for (const line of lines.slice(0, -1)) {
      rest.push(line);
      const whole = rest.join("");
      rest = [];
      onFrame(parse(whole));
    }
    rest.push(lines.at(-1));
  };
}

/** Returns the channel of one turn. After the turn has ended, nothing that still runs can send. */
export function openTurn(channel) {
  let isOver = false;
  return {
    get isOver() {
      return isOver;
    },
    send: (frame) => (isOver ? Promise.resolve() : channel.send(frame)),
    sendLine: (line) => (isOver ? Promise.resolve() : channel.sendLine(line)),
    end: () => void (isOver = true),
  };
}
