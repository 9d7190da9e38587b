// What an agent says, as previews and as the parts of a result. Every runner of an export speaks through it.

import { TurnError } from "./errors.mjs";

const { stringify } = JSON;
const deltaChars = 64 * 1024;
const frameRoomBytes = 1024;
const notJson = "the agent's result cannot be written as JSON";

/**
 * `add` previews a piece of text and keeps it; the promise resolves when the host takes more. It throws
 * `output_too_large` when all pieces together have more than `limits.outputBytes`.
 */
export function createOutput({ limits, channel }) {
  const pieces = [];
  let bytes = 0;
  return {
    async add(text) {
      bytes += Buffer.byteLength(text);
      if (bytes > limits.outputBytes) throw tooLarge(limits);
      pieces.push(text);
      for (const piece of piecesOf(text)) await channel.send({ t: "delta", text: piece });
    },
    joined: () => pieces.join(""),
    /** Text is one part; `{parts}` is taken as it is; nothing is no part; other values are their JSON. */
    toParts(value) {
      if (value === undefined || value === null || value === "") return [];
      const parts = isPartsObject(value) ? value.parts : [{ type: "text", text: textOf(value) }];
      // The host counts exactly; here it only has to fit into one line.
      if (Buffer.byteLength(toJson(parts)) > limits.frameBytes - frameRoomBytes) throw tooLarge(limits);
      return parts;
    },
  };
}

/** Cut so that no character is split. */
function* piecesOf(text) {
  for (let at = 0; at < text.length;) {
    const splits = /[\uD800-\uDBFF]/.test(text.charAt(at + deltaChars - 1));
    const end = at + deltaChars + (splits ? 1 : 0);
    yield text.slice(at, end);
    at = end;
  }
}

export const isPartsObject = (value) => typeof value === "object" && value !== null && "parts" in value;

/** Text as it is, anything else as its JSON. Throws `invalid_output` for what has none. */
export const textOf = (value) => (typeof value === "string" ? value : toJson(value));

function toJson(value) {
  let json;
  try {
    json = stringify(value);
  } catch (error) {
    throw new TurnError("invalid_output", `${notJson}: ${error.message.split("\n")[0]}`);
  }
  if (json === undefined) {
    throw new TurnError("invalid_output", `${notJson}: it is a ${typeof value}`);
  }
  return json;
}

function tooLarge(limits) {
  return new TurnError("output_too_large", `the agent's result has more than ${limits.outputBytes} bytes`);
}
