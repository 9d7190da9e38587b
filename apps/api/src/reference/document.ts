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
  readonly "x-session-token-scope"?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly description?: string }>>;
}

export interface ReferenceRoute {
  readonly method: string;
  readonly path: string;
  /** Other paths of the same operation. */
  readonly aliases: readonly string[];
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

const aliasStart = /^\/v1\/deployments(?=\/|$)/;
const agentsStart = "/v1/agents";

/** What newcomers call first. The other tags follow in the document's order. */
const firstTags = ["agents", "sessions", "messages"];

/** Reads a document of `buildOpenApi`, so its shape is known. A path below an alias is listed with its operation. */
export function readDocument(made: object): ReferenceDocument {
  const document = made as OpenApiDocument;
  const groups = new Map<string, readonly ReferenceRoute[]>(firstTags.map((tag) => [tag, []]));
  const { paths } = document;
  const isAlias = (path: string): boolean => path.replace(aliasStart, agentsStart) in paths && aliasStart.test(path);
  for (const [path, item] of Object.entries(paths)) {
    if (isAlias(path)) continue;
    const alias = path.replace(/^\/v1\/agents(?=\/|$)/, "/v1/deployments");
    const aliases = alias !== path && alias in paths ? [alias] : [];
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags[0] ?? "other";
      const group = groups.get(tag) ?? [];
      groups.set(tag, [...group, { method: method.toUpperCase(), path, aliases, operation }]);
    }
  }
  return {
    title: document.info.title,
    serverUrl: document.servers[0]?.url ?? "",
    groups: new Map([...groups].filter(([, routes]) => routes.length > 0)),
    schemas: document.components.schemas,
  };
}
