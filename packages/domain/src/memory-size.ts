// Sizes of memory as people write them: 512MiB, 2GiB.

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const pattern = /^(\d{1,7}) ?(MiB|GiB)$/;

/** Source of a regular expression for JSON Schema. */
export const memorySizePattern = pattern.source;

/** Returns the bytes; undefined if it is no size. */
export function parseMemorySize(text: string): number | undefined {
  const [, count, unit] = pattern.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (unit === "GiB" ? GiB : MiB);
}

export function showMemorySize(bytes: number): string {
  return bytes % GiB === 0 ? `${bytes / GiB} GiB` : `${Math.round(bytes / MiB)} MiB`;
}
