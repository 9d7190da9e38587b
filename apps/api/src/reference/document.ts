// The parts of an OpenAPI document that the reference page shows, in its order.

export interface Schema {
  readonly [keyword: string]: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema?: Schema };
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly "x-scope"?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly description?: string }>>;
}

export interface ReferenceRoute {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export interface ReferenceDocument {
  readonly title: string;
  readonly serverUrl: string;
  /** By tag, in the document's order. */
  readonly groups: ReadonlyMap<string, readonly ReferenceRoute[]>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

interface OpenApiDocument {
  readonly info: { readonly title: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Reads a document of `buildOpenApi`, so its shape is known. */
export function readDocument(made: object): ReferenceDocument {
  const document = made as OpenApiDocument;
  const groups = new Map<string, ReferenceRoute[]>();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags[0] ?? "other";
      const group = groups.get(tag) ?? [];
      group.push({ method: method.toUpperCase(), path, operation });
      groups.set(tag, group);
    }
  }
  return {
    title: document.info.title,
    serverUrl: document.servers[0]?.url ?? "",
    groups,
    schemas: document.components.schemas,
  };
}
