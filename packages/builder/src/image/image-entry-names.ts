// Which entries an image can have, for packing and unpacking.

import { NameRegistry, normalizeEntryName } from "@dari/bundles";

export type EntryNameResult = { readonly name: string } | { readonly refused: string };

/** Remembers accepted entries: no two of them may collide on a disk. */
export class ImageEntryNames {
  readonly #names = new NameRegistry();
  readonly #pathBytesMax: number;

  /** The default is for existing images. */
  constructor(pathBytesMax = 4096) {
    this.#pathBytesMax = pathBytesMax;
  }

  /** `path` is relative to the image's root. Returns its normalized form, or why it is refused. */
  accept(path: string, kind: "file" | "directory"): EntryNameResult {
    const checked = normalizeEntryName(path, this.#pathBytesMax);
    if (!checked.ok) return { refused: checked.reason };
    if (checked.name === "") return { refused: "an entry has no name" };
    const clash = this.#names.add(checked.name, kind);
    return clash === undefined ? { name: checked.name } : { refused: clash };
  }
}
