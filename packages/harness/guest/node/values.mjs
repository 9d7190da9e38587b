// Values that do not fit into an event: whole texts, pictures and other binary parts. Each is sent in a frame of its
// own, and the event has its id.

import { StringDecoder } from "node:string_decoder";
import { isDeeper } from "./json-depth.mjs";

const { parse, stringify } = JSON;
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
/** What JSON with a binary part contains. */
const mark = /;base64,|"(?:media_?type|mime_?type)"|"iVBORw0KGgo/i;
/** How a PNG in base64 begins. Computer tools return screenshots so, without a media type. */
const png = "iVBORw0KGgo";
const binaryType = /^(?!text\/)[a-z0-9][a-z0-9.+-]*\/[a-z0-9.+-]+$/i;
const dataUrl = /^data:([^;,]+)(?:;[^;,]*)*;base64,/;
/** Types of blocks that are nothing but their binary part. */
const blockType = /image|screenshot|audio|document|file/;
const headerChars = 200;
/** The frame, its data, and the value in it. */
const levelsAround = 2;

/** Returns the function that makes a field of an event. `isOpen` tells whether the next event will be stored. */
export function createFit(limits, channel, isOpen) {
  const values = createValues(limits, channel, isOpen);

  /**
   * Returns `{[field]: value}`. A value over the limit becomes the beginning of its text. Beside it are its size, and
   * the id of the whole if that is sent. A binary part becomes a description with the id of the part.
   */
  function fit(field, value) {
    if (value === undefined) return { [field]: null };
    const found = typeof value === "string" ? undefined : toJson(value);
    const shown =
      field === "text" ? undefined : values.withoutBinary(found ?? (typeof value === "string" ? value : ""));
    const json = shown ?? found;
    const text = json ?? (typeof value === "string" ? value : toText(value));
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.activityValueBytes) {
      const id = values.keepText(text, bytes, json !== undefined);
      const cut = { [field]: beginningOf(text, limits.activityValueBytes), [`${field}_bytes`]: bytes };
      return id === undefined ? cut : { ...cut, [`${field}_value_id`]: id };
    }
    const isShowable = json !== undefined && !isDeeper(json, limits.jsonDepth - levelsAround);
    return { [field]: isShowable ? parse(json) : text };
  }

  return fit;
}

function createValues(limits, channel, isOpen) {
  let kept = 0;
  let keptBytes = 0;

  /** Sends a value whole. Returns its id; undefined if it exceeds a limit. */
  function keep(media_type, bytes, toBase64) {
    const isWithin = bytes <= limits.valueBytes && keptBytes + bytes <= limits.valueBytesPerAttempt;
    if (!isWithin || kept >= limits.values || !isOpen()) return undefined;
    kept += 1;
    keptBytes += bytes;
    const id = newValueId();
    // The event that follows waits until the host accepts more.
    void channel.send({ t: "value", id, media_type, base64: toBase64() });
    return id;
  }

  function standIn([media_type, base64]) {
    const [kind] = media_type.split("/");
    const size_bytes = Math.floor((base64.replace(/[\s=]/g, "").length * 3) / 4);
    const value_id = keep(media_type, size_bytes, () => base64);
    return { type: ["image", "audio"].includes(kind) ? kind : "file", media_type, size_bytes, value_id };
  }

  /** Returns the JSON of a value with a stand-in for each binary part; undefined if it has none. */
  function withoutBinary(text) {
    const isPart = text.startsWith(png) || dataUrl.test(text.slice(0, headerChars));
    if (!isPart && !(mark.test(text) && /^\s*[[{]/.test(text))) return undefined;
    let found = 0;
    const replace = (_key, value) => {
      const binary = binaryOf(value);
      if (binary === undefined) return value;
      found += 1;
      return standIn(binary);
    };
    try {
      const json = stringify(isPart ? text : parse(text), replace);
      return found === 0 ? undefined : json;
    } catch {
      // It is no JSON, or nested too deep.
      return undefined;
    }
  }

  /** Sends a text whole. Returns its id; undefined if it exceeds a limit. */
  const keepText = (text, bytes, isJson) =>
    keep(isJson ? "application/json" : "text/plain", bytes, () => Buffer.from(text).toString("base64"));

  return { keepText, withoutBinary };
}

/** Returns the media type and the base64 of a value that is one binary part. */
function binaryOf(value) {
  if (typeof value === "string") return ofText(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { type, source } = value;
  const part = source?.type === "base64" ? source : value;
  const media = part.media_type ?? part.mimeType ?? part.mediaType;
  const data = part.data ?? part.blob;
  if (typeof media === "string" && binaryType.test(media) && isBase64(data)) return [media.toLowerCase(), data];
  if (typeof type !== "string" || !blockType.test(type)) return undefined;
  return Object.values(value).map(ofText).find(Boolean);
}

function ofText(value) {
  if (typeof value !== "string") return undefined;
  if (value.startsWith(png)) return isBase64(value) ? ["image/png", value] : undefined;
  if (!value.startsWith("data:")) return undefined;
  const [header, media = ""] = dataUrl.exec(value.slice(0, headerChars)) ?? [];
  if (header === undefined || !binaryType.test(media)) return undefined;
  const data = value.slice(header.length);
  return isBase64(data) ? [media.toLowerCase(), data] : undefined;
}

/** A search for another character needs no memory, however long the text is. */
const isBase64 = (value) => typeof value === "string" && value !== "" && !/[^A-Za-z0-9+/=_\s-]/.test(value);

function newValueId() {
  const bytes = crypto.getRandomValues(new Uint8Array(26));
  return `val_${Array.from(bytes, (byte, at) => alphabet[byte & (at === 0 ? 7 : 31)]).join("")}`;
}

export function toText(value) {
  try {
    return String(value);
  } catch {
    return "a value that cannot be shown";
  }
}

/** Returns undefined for a value without JSON, such as a BigInt, a cycle or a function. */
function toJson(value) {
  try {
    return stringify(value);
  } catch {
    return undefined;
  }
}

/** Cuts between characters. */
function beginningOf(text, bytes) {
  return new StringDecoder("utf8").write(Buffer.from(text.slice(0, bytes)).subarray(0, bytes));
}
