// The agent's output, as previews and as the parts of a result. All runners use it.

import { piecesOf } from "./activity.mjs";
import { TurnError } from "./errors.mjs";

const { stringify } = JSON;
const deltaChars = 64 * 1024;
const frameRoomBytes = 1024;
const notJson = "the agent's result cannot be written as JSON";

/**
 * `add` sends a piece of text as a preview and stores it; the promise resolves when the host accepts more. `ordinal`:
 * the number of the model request that writes it. Throws `output_too_large` if all pieces together exceed
 * `limits.outputBytes`.
 */
export function createOutput({ limits, channel }) {
  const pieces = [];
  let bytes = 0;
  return {
    async add(text, ordinal) {
      bytes += Buffer.byteLength(text);
      if (bytes > limits.outputBytes) throw tooLarge(limits);
      pieces.push(text);
      for (const piece of piecesOf(text, deltaChars)) await channel.send({ t: "delta", text: piece, ordinal });
    },
    joined: () => pieces.join(""),
    /**
     * Text becomes one part; `{parts}` is used unchanged; null and undefined become no part; other values become JSON.
     */
    toParts(value) {
      if (value === undefined || value === null || value === "") return [];
      const parts = isPartsObject(value) ? value.parts : [{ type: "text", text: textOf(value) }];
      // The host checks the exact limit. Here it only must fit into one line.
      if (Buffer.byteLength(toJson(parts)) > limits.frameBytes - frameRoomBytes) throw tooLarge(limits);
      return parts;
    },
  };
}

export const isPartsObject = (value) => typeof value === "object" && value !== null && "parts" in value;

/** Returns text unchanged and anything else as JSON. Throws `invalid_output` if that is impossible. */
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
