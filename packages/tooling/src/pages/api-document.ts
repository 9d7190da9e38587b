// The operations and schemas of the OpenAPI document, as the generators of the clients read them.

import { buildOpenApi, isChatClientPath } from "@dari/contract";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  /** Empty: no key is needed. */
  readonly security?: readonly unknown[];
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: JsonSchema;
}

export type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

export interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export interface ApiDocument {
  readonly places: readonly Place[];
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

export function readApiDocument(): ApiDocument {
  const { paths, components } = buildOpenApi({
    version: "1",
    serverUrl: "http://127.0.0.1:4870",
  }) as unknown as OpenApi;
  return { places: placesOf(paths), schemas: components.schemas };
}

/**
 * Returns the paths of the platform's own API, without those for other clients. `/v1/deployments…` is another path to
 * the same operations.
 */
function placesOf(paths: OpenApi["paths"]): Place[] {
  const own = Object.entries(paths).filter(([path]) => path.startsWith("/v1/") && !isChatClientPath(path));
  return own.flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, { operationId }]) => !operationId.endsWith("AsDeployment"))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** `#/components/schemas/Event` → `Event` */
export function componentOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** Returns whether a value is an object whose fields are known by name. */
export function isRecord(schema: JsonSchema): boolean {
  return schema["type"] === "object" && typeof schema["properties"] === "object";
}

/** A query spells a boolean as `0`, `1`, `true` or `false`. */
export function isSwitch({ schema }: Parameter): boolean {
  return Array.isArray(schema["enum"]) && schema["enum"].join() === "0,1,true,false";
}

/** Returns the schema of a page's rows; undefined if the schema is not a page. */
export function rowsOf(schema: JsonSchema): JsonSchema | undefined {
  const { data, has_more: more, next } = schema["properties"] as Record<string, JsonSchema>;
  if (data === undefined || more === undefined || next === undefined) return undefined;
  return (data["items"] ?? {}) as JsonSchema;
}

/** Returns the schema of a map's values; undefined if it allows any. */
export function valuesOf(schema: JsonSchema): JsonSchema | undefined {
  const patterns = Object.values((schema["patternProperties"] ?? {}) as Record<string, JsonSchema>);
  const values = patterns[0] ?? schema["additionalProperties"];
  return typeof values === "object" && values !== null ? (values as JsonSchema) : undefined;
}

/**
 * Adds to each arm of a union the fields that only other arms have, as fields that are never present. Without them,
 * reading `message_id` of a union is a type error.
 */
export function withAbsentFields(schemas: ApiDocument["schemas"]): ApiDocument["schemas"] {
  const filled: Record<string, JsonSchema> = { ...schemas };
  for (const { discriminator, oneOf } of Object.values(schemas)) {
    if (discriminator === undefined) continue;
    const names = (oneOf as JsonSchema[]).flatMap(({ $ref }) => (typeof $ref === "string" ? [componentOf($ref)] : []));
    const fields = names.map((name) => Object.keys(filled[name]?.["properties"] ?? {}));
    const absent = Object.fromEntries(fields.flat().map((field) => [field, { not: {} }]));
    for (const name of names) {
      const schema = filled[name]!;
      filled[name] = { ...schema, properties: { ...absent, ...(schema["properties"] as object) } };
    }
  }
  return filled;
}
