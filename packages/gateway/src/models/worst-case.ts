// Finds out how many tokens a request can use, and of which model, from its body, before it goes out.

import { modelRequestLimits, type ModelFormat } from "@dari/domain";
import type { ModelCall } from "./known-models.ts";
import { visitFields, type JsonField } from "./visit-fields.ts";

export interface BodyToRead {
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export interface WorstCase {
  /** The most tokens that the request can use, as input and output together. Null: not known. */
  readonly tokensMax: number | null;
  /** Those of `tokensMax` that its input can use. */
  readonly inputMax: number | null;
  /** The model that it asks for. Null: not known. */
  readonly model: string | null;
}

export const notKnown: WorstCase = { tokensMax: null, inputMax: null, model: null };

/** Instructions that a provider adds to a request, such as those for tools. */
const addedTokens = 1_000;
/** Larger numbers mean nothing, and sums of smaller ones are exact. */
const countMax = 1e12;

interface Settings {
  /** The maximum of an answer's tokens. */
  readonly max: readonly string[];
  /** The number of answers. */
  readonly times: readonly string[];
}

/** Names as `normalize` returns them. */
const settingsOf: Readonly<Record<ModelFormat, Settings>> = {
  "openai-responses": { max: ["maxoutputtokens"], times: [] },
  "openai-chat": { max: ["maxtokens", "maxcompletiontokens"], times: ["n", "bestof"] },
  "anthropic-messages": { max: ["maxtokens"], times: [] },
  gemini: { max: ["maxoutputtokens"], times: ["candidatecount"] },
};

/** Fields of a request whose content is elsewhere, or that let the provider add to the request. */
const referringSettings = new Set([
  ...["previousresponseid", "conversation", "prompt", "container", "mcpservers", "websearchoptions", "plugins"],
  ...["prediction", "cachedcontent", "models", "preset"],
]);
/** The same, at any depth. The tokens of pictures and files do not follow from their bytes. */
const referringFields = new Set([
  ...["fileid", "fileids", "fileuri", "fileurl", "filedata", "imageurl", "inlinedata", "inputaudio", "videourl"],
  ...["vectorstoreids", "responsemodalities"],
]);
const referringTypes = new Set([
  ...["image", "image_url", "input_image", "computer_screenshot", "document", "file", "input_file", "container_upload"],
  ...["audio", "input_audio", "video", "video_url", "input_video", "item_reference"],
]);
/** Tools that only the agent runs: nothing is added to the request for them. */
const ownToolTypes = new Set(["function", "custom"]);
const ownToolFields = new Set(["functiondeclarations"]);

/** Names that mean something, by their length: nothing is read of other fields. */
const lengthMax = 32;

/**
 * Resolves with the most tokens that a request can use: a token has at least one byte. They are not known if the
 * request sets no maximum of its answer, has parts that are counted otherwise, or cannot be read. If a field occurs
 * several times, the largest value counts, because parsers choose different ones. The model is not known if several are
 * named. `signal`: aborts when the result is no longer needed.
 */
export async function worstCaseOf(
  { format, model }: Pick<ModelCall, "format" | "model">,
  { body, contentType, contentEncoding }: BodyToRead,
  signal?: AbortSignal,
): Promise<WorstCase> {
  const isPlain = /^\s*(?:identity)?\s*$/i.test(contentEncoding ?? "");
  const isJson = /^\s*application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType ?? "");
  if (!isPlain || !isJson) return notKnown;
  const { max, times } = settingsOf[format];
  let isKnown = true;
  let output: number | undefined;
  let answers = 1;
  const models = new Set(model === undefined ? [] : [nameIn(model)]);
  // Azure ignores the model of the body if the path names a deployment.
  const isDeployment = model !== undefined && format === "openai-chat";
  function visit(field: JsonField): void {
    if (field.name.length > lengthMax) return;
    const name = normalize(field.name);
    if (refersElsewhere(field, name, format)) isKnown = false;
    if (field.depth === 1 && name === "model" && !isDeployment) models.add(nameIn(textIn(field.value())));
    if (!isSetting(field, format) || !(max.includes(name) || times.includes(name))) return;
    const value = countIn(field.value());
    if (value === undefined) {
      if (max.includes(name) || field.value() !== "null") isKnown = false;
    } else if (max.includes(name)) {
      output = Math.max(output ?? 0, value);
    } else {
      answers = Math.max(answers, value);
    }
  }
  const isRead = await visitFields(body, visit, signal);
  if (!isRead) return notKnown;
  const [only = ""] = models.size === 1 ? models : [];
  const named = only === "" ? null : only;
  if (!isKnown || output === undefined) return { ...notKnown, model: named };
  const inputMax = body.length + addedTokens;
  return { tokensMax: Math.min(countMax, inputMax + output * answers), inputMax, model: named };
}

/** Returns an empty text if it is longer than a name, or has what no name has, such as an invalid byte. */
function nameIn(text: string): string {
  return text.length > modelRequestLimits.nameChars || /[\p{C}\ufffd]/u.test(text) ? "" : text;
}

/** Returns an empty text if the value is none, or is too long. */
function textIn(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1) : "";
}

/** Some parsers ignore case, as Unicode folds it, and Gemini's accepts both spellings. */
function normalize(name: string): string {
  return name.replaceAll("_", "").toLowerCase().toUpperCase().toLowerCase();
}

/** Returns whether the field is where the format has its settings. Elsewhere, the same name is the agent's data. */
function isSetting({ depth, outermost }: JsonField, format: ModelFormat): boolean {
  if (format !== "gemini") return depth === 1;
  return depth === 2 && normalize(outermost) === "generationconfig";
}

function refersElsewhere(field: JsonField, name: string, format: ModelFormat): boolean {
  const { depth, outermost } = field;
  if (referringFields.has(name) || (depth === 1 && referringSettings.has(name))) return field.value() !== "null";
  if (depth === 1 && name === "model") return /:online|@/.test(field.value());
  const isTool = depth === 3 && normalize(outermost) === "tools";
  // Gemini's tools have a field for each kind.
  if (isTool && format === "gemini") return !ownToolFields.has(name);
  if (name !== "type") return false;
  const value = field.value();
  if (!value.startsWith('"')) return false;
  return referringTypes.has(value.slice(1, -1)) || (isTool && !ownToolTypes.has(value.slice(1, -1)));
}

/** Returns undefined if it is no number of tokens. Zero is none: some servers read it as not set. */
function countIn(text: string): number | undefined {
  const count = /^\d[\d.eE+]*$/.test(text) ? Number(text) : NaN;
  return Number.isInteger(count) && count > 0 ? Math.min(count, countMax) : undefined;
}
