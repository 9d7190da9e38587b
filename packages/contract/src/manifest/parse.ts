// The text of a dari.yml to a Manifest, or to all of its issues at once. Pure: reads no file, knows no bundle.

import { limits, type FieldIssue } from "@dari/domain";
import { CORE_SCHEMA, defineScalarTag, floatCoreTag, loadAll, NOT_RESOLVED, YAMLException } from "js-yaml";
import { normalizeManifest, WrittenFloat, type ManifestResult } from "./normalize.ts";

/** Keeps how a float was written, so that the error for a bare `3.10` can say "3.10" and not 3.1. */
const writtenFloatTag = defineScalarTag<WrittenFloat>("tag:yaml.org,2002:float", {
  implicit: true,
  implicitFirstChars: floatCoreTag.implicitFirstChars,
  resolve: (source, isExplicit, tagName) =>
    floatCoreTag.resolve(source, isExplicit, tagName) === NOT_RESOLVED ? NOT_RESOLVED : new WrittenFloat(source),
  identify: (value) => value instanceof WrittenFloat,
});

const schema = CORE_SCHEMA.withTags(writtenFloatTag);

/**
 * Reads a manifest. YAML 1.2 core schema; duplicate keys, several documents and unknown tags are invalid YAML.
 * Issues about the document itself have the path `manifest`.
 */
export function parseManifest(text: string): ManifestResult {
  if (new TextEncoder().encode(text).length > limits.manifestBytes) {
    return refused(`expected at most ${limits.manifestBytes} bytes`);
  }
  try {
    const documents = loadAll(text, { schema });
    if (documents.length > 1) return refused("invalid YAML: expected a single document in the stream, but found more");
    // Nothing, blanks or comments are no document and miss every field; `null` is one, and is no mapping.
    return normalizeManifest(documents.length === 0 ? {} : documents[0]);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return refused(`invalid YAML: ${describe(error)}`);
  }
}

/** One line: the reason and where, without js-yaml's drawing of the source. */
function describe(error: YAMLException): string {
  const { mark } = error;
  return mark === undefined ? error.reason : `${error.reason} (line ${mark.line + 1}, column ${mark.column + 1})`;
}

function refused(message: string): ManifestResult {
  return { ok: false, issues: [{ path: "manifest", message }] };
}

/** The report of a manifest's issues, as people see it. `path` is the manifest's. */
export function formatManifestIssues(path: string, issues: readonly FieldIssue[]): string {
  const lines = issues.map((issue) => `- ${issue.path}: ${issue.message}`);
  return [`Manifest validation failed for ${path}:`, ...lines].join("\n");
}
