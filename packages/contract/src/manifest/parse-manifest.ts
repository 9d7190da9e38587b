// Parses the text of a dari.yml into a Manifest, or into all of its issues. Pure: reads no file.

import { limits, type FieldIssue } from "@dari/domain";
import { CORE_SCHEMA, defineScalarTag, floatCoreTag, loadAll, NOT_RESOLVED, YAMLException } from "js-yaml";
import { YamlFloat } from "./read-fields.ts";
import { normalizeManifest, type ManifestResult } from "./normalize-manifest.ts";

/** Keeps the text of a float, so that the error for an unquoted `3.10` can say "3.10" and not 3.1. */
const writtenFloatTag = defineScalarTag<YamlFloat>("tag:yaml.org,2002:float", {
  implicit: true,
  implicitFirstChars: floatCoreTag.implicitFirstChars,
  resolve: (source, isExplicit, tagName) =>
    floatCoreTag.resolve(source, isExplicit, tagName) === NOT_RESOLVED ? NOT_RESOLVED : new YamlFloat(source),
  identify: (value) => value instanceof YamlFloat,
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
    // An empty file, blanks or comments count as a manifest without fields. `null` is a document, but not a mapping.
    return normalizeManifest(documents.length === 0 ? {} : documents[0]);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return refused(`invalid YAML: ${describeYamlError(error)}`);
  }
}

/** Returns the reason and position in one line, without js-yaml's excerpt of the source. */
export function describeYamlError(error: YAMLException): string {
  const { mark } = error;
  return mark === undefined ? error.reason : `${error.reason} (line ${mark.line + 1}, column ${mark.column + 1})`;
}

function refused(message: string): ManifestResult {
  return { ok: false, issues: [{ path: "manifest", message }] };
}

/** Renders a manifest's issues for people. `path` is the manifest's. */
export function formatManifestIssues(path: string, issues: readonly FieldIssue[]): string {
  const lines = issues.map((issue) => `- ${issue.path}: ${issue.message}`);
  return [`Manifest validation failed for ${path}:`, ...lines].join("\n");
}
