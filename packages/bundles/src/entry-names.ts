// Which entry names an archive may contain. Pure string rules, shared by bundles and images.

const segmentBytesMax = 255;

/** An entry's normalized name, or why it is refused. `""` is the archive's root. */
export type EntryName = { ok: true; name: string } | { ok: false; reason: string };

/**
 * `./src/agent.ts` → `src/agent.ts`. Refuses absolute and `..` paths, backslashes, control characters, names that
 * are not UTF-8, and names over `pathBytesMax`.
 */
export function normalizeEntryName(raw: string, pathBytesMax: number): EntryName {
  const shown = quoteName(raw);
  const refuse = (why: string): EntryName => ({ ok: false, reason: `the path ${shown} ${why}` });
  if (raw.includes("\0")) return refuse("contains NUL");
  if (hasControlCharacter(raw)) return refuse("contains a control character");
  if (raw.includes("\uFFFD")) return refuse("is not valid UTF-8");
  if (raw.includes("\\")) return refuse("contains a backslash");
  if (raw.startsWith("/") || /^[A-Za-z]:/.test(raw)) return refuse("is absolute");
  if (Buffer.byteLength(raw) > pathBytesMax) return refuse(`is longer than ${pathBytesMax} bytes`);
  const name = raw.replace(/^(\.\/+)+/, "").replace(/\/+$/, "");
  if (name === "" || name === ".") return { ok: true, name: "" };
  for (const segment of name.split("/")) {
    if (segment === "..") return refuse("contains '..'");
    if (segment === "." || segment === "") return refuse("has an empty or '.' segment");
    if (Buffer.byteLength(segment) > segmentBytesMax) {
      return refuse(`has a segment longer than ${segmentBytesMax} bytes`);
    }
  }
  return { ok: true, name };
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** Shortens and quotes a hostile name for a message. */
export function quoteName(raw: string): string {
  return JSON.stringify(raw.length > 120 ? `${raw.slice(0, 117)}...` : raw);
}

/**
 * Refuses two entries that would collide on a disk: equal names (also if equal only after Unicode NFC), or a file where
 * another entry needs a directory.
 */
export class NameRegistry {
  readonly #files = new Set<string>();
  readonly #directories = new Set<string>();

  /** @returns why the entry is refused, or undefined if it was added. */
  add(name: string, kind: "file" | "directory"): string | undefined {
    const key = name.normalize("NFC");
    if (this.#files.has(key)) {
      return kind === "file" ? `duplicate path ${quoteName(name)}` : clash(name);
    }
    if (kind === "file" && this.#directories.has(key)) return clash(name);
    for (let slash = key.lastIndexOf("/"); slash > 0; slash = key.lastIndexOf("/", slash - 1)) {
      const parent = key.slice(0, slash);
      if (this.#directories.has(parent)) break;
      if (this.#files.has(parent)) return clash(parent);
      this.#directories.add(parent);
    }
    (kind === "file" ? this.#files : this.#directories).add(key);
    return undefined;
  }
}

function clash(name: string): string {
  return `the path ${quoteName(name)} is both a file and a directory`;
}
