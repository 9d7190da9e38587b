// Templates of triggers: text with `{{path}}`, `{{header:Name}}` and `{{first|second}}` in it. Without expressions, a
// template cannot loop or run code.

import { AppError, invalidField, limits } from "@dari/domain";
import {
  isExact,
  parseSource,
  readValue,
  textOfScalar,
  type TriggerEventValues,
  type ValueSource,
} from "./read-event-value.ts";

/** Where a placeholder's value comes from: the first source that has one. */
type Place = readonly ValueSource[];

/** Literal texts, and the places of values. */
export type Template = readonly (string | Place)[];

/** @throws AppError `invalid`, which names `field`. */
export function parseTemplate(field: string, text: string): Template {
  const [first = "", ...rest] = text.split("{{");
  if (rest.length > limits.triggerPlaceholdersMax) {
    throw invalidField(field, `expected at most ${limits.triggerPlaceholdersMax} placeholders`);
  }
  const pieces = rest.flatMap((piece) => {
    const end = piece.indexOf("}}");
    if (end < 0) throw invalidField(field, "a `{{` has no `}}` after it");
    const place = piece.slice(0, end).split("|");
    return [place.map((source) => parseSource(field, source.trim())), piece.slice(end + 2)];
  });
  return [first, ...pieces];
}

/** @throws AppError `invalid` for a template without a placeholder: all events would have the same value. */
export function parseIdTemplate(field: string, text: string): Template {
  const template = parseTemplate(field, text);
  if (template.every((piece) => typeof piece === "string")) {
    throw invalidField(field, "expected a placeholder such as `{{id}}`: all events would have the same id");
  }
  return template;
}

/**
 * Returns the text for an event, at most `limits.triggerOutputBytes`. Objects and lists appear as JSON.
 * @throws AppError `invalid` for a missing value if `missing` is `refuse`.
 */
export function renderText(template: Template, event: TriggerEventValues, missing: "empty" | "refuse"): string {
  let text = "";
  for (const piece of template) {
    text += typeof piece === "string" ? piece : renderValue(piece, event, missing);
    // Stops early: a template can name a large value many times.
    if (text.length > limits.triggerOutputBytes) break;
  }
  return cutText(replaceUnstorable(text));
}

function readPlace(place: Place, event: TriggerEventValues, missing?: ""): unknown {
  for (const source of place) {
    const value = readValue(source, event);
    if (value !== undefined && value !== missing) return value;
  }
  return undefined;
}

function renderValue(place: Place, event: TriggerEventValues, missing: "empty" | "refuse"): string {
  const value = readPlace(place, event);
  if (value !== undefined) return textOfScalar(value) ?? toJson(value);
  if (missing === "refuse") throw missingValue("text", place);
  return "";
}

/** @throws AppError `invalid` for a value that is nested too deeply to be serialized. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) throw invalidField("body", "expected less nesting");
    throw error;
  }
}

function missingValue(field: string, place: Place): AppError {
  const names = place.map((one) => (one.kind === "header" ? `header:${one.name}` : one.steps.join(".")));
  const message = `the event has no ${names.join(" and no ")}`;
  return new AppError("invalid", `${message}, which the trigger's ${field} needs`, {
    issues: [{ path: field, message }],
  });
}

/** Replaces what PostgreSQL cannot store: NUL and lone surrogates. */
export function replaceUnstorable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

const cutNote = `\n[cut: the text exceeds ${limits.triggerOutputBytes} bytes]`;

function cutText(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= limits.triggerOutputBytes) return text;
  // A character that the cut divides becomes U+FFFD; it is dropped.
  const kept = bytes.subarray(0, limits.triggerOutputBytes - cutNote.length).toString("utf8");
  return `${kept.replace(/\uFFFD+$/, "")}${cutNote}`;
}

/** Characters of the values of one session key or event id, together. */
export const keyValueCharsMax = 2_000;

/**
 * Returns the values of a key's places, as text, and the text that they make. Keys with the same values are equal. The
 * text alone is not enough: `{{a}}-{{b}}` makes the same text of `x-y`, `z` and of `x`, `y-z`.
 * @throws AppError `invalid` for a value that is missing or an empty text, for an object or a list, and for values with
 *   more than `keyValueCharsMax` in all.
 */
export function renderKey(
  field: string,
  template: Template,
  event: TriggerEventValues,
): { readonly values: readonly string[]; readonly text: string } {
  const values: string[] = [];
  let chars = 0;
  const texts = template.map((piece) => {
    if (typeof piece === "string") return piece;
    // Events with an empty text there would share a key, as those without the value would.
    const value = readPlace(piece, event, "");
    if (value === undefined) throw missingValue(field, piece);
    const text = textOfScalar(value);
    if (text === undefined) throw invalidField(field, "expected a text, a number, true or false in the event");
    if (!isExact(value)) throw invalidField(field, "the event's number has too many digits; expected it as text");
    chars += text.length;
    if (chars > keyValueCharsMax) {
      throw invalidField(field, `expected at most ${keyValueCharsMax} characters in the event's values`);
    }
    values.push(text);
    return text;
  });
  return { values, text: replaceUnstorable(texts.join("")) };
}
