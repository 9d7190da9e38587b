// Lines of JSON on one inherited descriptor. The host being gone is the end of this process.

import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";

// Kept from before the agent's code runs, which may replace the globals.
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
    /** Resolves when the host accepts more, so a caller that awaits it cannot outrun the host. */
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

/** Takes chunks of bytes, and hands on the frame of each line. */
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

/** What one turn says through. Nothing of it is heard once it has ended, whatever it has left running. */
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
