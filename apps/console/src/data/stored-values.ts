// Finds values that are stored beside the events of a tool call: pictures and other binary parts. Draws nothing.

export interface StoredPart {
  readonly id: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** The most parts of one value that are shown. */
const partsMax = 20;

/** Returns the binary parts of an argument or a result, which is one part or a list with parts in it. */
export function storedParts(value: unknown): readonly StoredPart[] {
  const parts = Array.isArray(value) ? (value as unknown[]) : [value];
  return parts.flatMap((part) => toStoredPart(part) ?? []).slice(0, partsMax);
}

function toStoredPart(part: unknown): StoredPart | undefined {
  if (typeof part !== "object" || part === null) return undefined;
  const { value_id: id, media_type: mediaType, size_bytes: sizeBytes } = part as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || !id.startsWith("val_") || typeof mediaType !== "string") return undefined;
  return { id, mediaType, sizeBytes: typeof sizeBytes === "number" ? sizeBytes : 0 };
}

/** Media types that a browser shows as a picture. The type comes from an agent, so that only these are passed on. */
const pictureTypes = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"];

export function isPicture({ mediaType }: StoredPart): boolean {
  return pictureTypes.includes(mediaType);
}
