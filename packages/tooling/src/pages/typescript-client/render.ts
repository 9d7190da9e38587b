// The generated half of the TypeScript client, from the document that the API serves. If the client lacks an operation,
// this text differs from the committed one.

import { readApiDocument } from "../api-document.ts";
import { isGenerated, rowOf, signatureOf } from "./operations.ts";
import { declarationsOf } from "./types.ts";

const folder = "packages/client/src/generated";
const origin = "Generated from the platform's OpenAPI document; not edited by hand.";

/** Returns each file, by its path from the root of the repository, with its text. */
export function renderTypeScriptClient(): Record<string, string> {
  const { places, schemas } = readApiDocument();
  const generated = places.filter(isGenerated);
  const signatures = generated.map(signatureOf).join("\n");
  const names = Object.keys(schemas).filter((name) => new RegExp(`\\b${name}\\b`).test(signatures));
  return {
    [`${folder}/models.ts`]: modelsModule(declarationsOf(schemas)),
    [`${folder}/operations.ts`]: operationsModule(signatures, generated.map(rowOf).join(""), names.sort()),
  };
}

function modelsModule(declarations: string): string {
  return `// What the platform is sent and answers. ${origin}

/** One page of a list; \`next\` is the \`after\` of the page after it. */
export interface Page<Row> {
  data: Row[];
  has_more: boolean;
  next: string | null;
}

/**
 * A type that this client does not know. Every other string is one; it is declared as an enum because TypeScript
 * narrows a union only by types of a single value. Nothing of it exists at run time.
 */
declare enum UnknownType {
  text = "",
}

${declarations}`;
}

function operationsModule(signatures: string, rows: string, names: readonly string[]): string {
  return `// One method for each operation of the platform. ${origin}

import type { CallOptions, Content, FileUpload, OperationRow, StreamOptions } from "../call.ts";
import type {
${["Page", ...names].map((name) => `  ${name},\n`).join("")}} from "./models.ts";

/** Every operation, by its name in the OpenAPI document. */
export interface Operations {
${signatures}}

export const operations = {
${rows}} as const satisfies Readonly<Record<keyof Operations, OperationRow>>;
`;
}
