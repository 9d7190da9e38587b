// Lines of JSON on one inherited descriptor. This process ends when the host closes it.

import fs from "node:fs";
import net from "node:net";
import { StringDecoder } from "node:string_decoder";

// Saved before the agent's code runs, which may replace the globals.
const { parse, stringify } = JSON;
const { writeSync } = fs;
const { Socket } = net;
const exit = process.exit.bind(process);
/** `send` asks its callers to wait while more than this waits for the host. Bytes. */
const waitingBytesMax = 65_536;
/** How long `sendNow` waits for the host. Milliseconds. */
const sendNowMs = 2_000;
const retryMs = 5;

export function openChannel(fd) {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.once("close", () => exit(0));
  socket.on("error", () => {});
  /** What the socket is writing, and what follows it. One chunk at a time, so that `sendNow` knows what is left. */
  let writing;
  let waiting = [];
  let waitingBytes = 0;
  let callers = [];

  function write() {
    while (waiting.length > 0 && socket.writableLength === 0) {
      writing = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
      socket.write(writing, write);
    }
    if (waitingBytes > waitingBytesMax) return;
    const resumed = callers;
    callers = [];
    for (const resume of resumed) resume();
  }

  function add(line) {
    const chunk = Buffer.from(`${line}\n`);
    waiting.push(chunk);
    waitingBytes += chunk.length;
  }

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
      add(line);
      write();
      if (waitingBytes <= waitingBytesMax) return Promise.resolve();
      return new Promise((resolve) => callers.push(resolve));
    },
    /** For a process that ends next: returns when everything is sent, or when the host has not read it in time. */
    sendNow(frame) {
      add(stringify(frame));
      write();
      if (socket.writableLength === 0) return;
      // Bytes of `writing` that the socket still has to write.
      const left = socket._handle?.writeQueueSize ?? 0;
      const rest = Buffer.concat([writing.subarray(writing.length - left), ...waiting]);
      waiting = [];
      writeAll(fd, rest, Date.now() + sendNowMs);
    },
    ref: () => socket.ref(),
    unref: () => socket.unref(),
  };
}

/** Writes to a descriptor that does not block. Gives up at `deadline`, or if the host has closed it. */
function writeAll(fd, bytes, deadline) {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  while (bytes.length > 0 && Date.now() < deadline) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      if (error.code !== "EAGAIN") return;
      Atomics.wait(sleeper, 0, 0, retryMs);
    }
  }
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
