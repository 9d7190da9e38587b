// Reads the text of an operators' price file: YAML, or JSON, which is YAML too. Pure: reads no file.

import type { FieldIssue } from "@dari/domain";
import { CORE_SCHEMA, loadAll, YAMLException } from "js-yaml";
import { describeYamlError } from "./manifest/parse-manifest.ts";
import { PutPriceListRequest } from "./schemas/prices.ts";
import { validate } from "./validate-value.ts";

/** Far above a file with the maximum number of prices and a comment for each. */
const fileBytesMax = 1024 * 1024;

export type PriceFileResult =
  | { readonly ok: true; readonly request: PutPriceListRequest }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

/** Returns the request that imports the file, or its issues. The API checks more: dates, decimals and duplicates. */
export function parsePriceFile(text: string): PriceFileResult {
  if (new TextEncoder().encode(text).length > fileBytesMax) return refused(`expected at most ${fileBytesMax} bytes`);
  let documents: unknown[];
  try {
    documents = loadAll(text, { schema: CORE_SCHEMA });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return refused(`invalid YAML: ${describeYamlError(error)}`);
  }
  if (documents.length !== 1) return refused(`expected one YAML document, but found ${documents.length}`);
  const issues = validate(PutPriceListRequest, documents[0]).map(({ path, message }) => {
    return { path: path === "body" ? "file" : path, message };
  });
  return issues.length > 0 ? { ok: false, issues } : { ok: true, request: documents[0] as PutPriceListRequest };
}

function refused(message: string): PriceFileResult {
  return { ok: false, issues: [{ path: "file", message }] };
}
