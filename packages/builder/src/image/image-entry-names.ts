// Which entries an image can have: one rule for making and for unpacking an image.

import { NameRegistry, normalizeEntryName } from "@dari/bundles";

export type EntryNameResult = { readonly name: string } | { readonly refused: string };

/** Remembers the entries that it accepted: no two of them may meet on a disk. */
export class ImageEntryNames {
  readonly #names = new NameRegistry();
  readonly #pathBytesMax: number;

  /** The default is for images that exist. */
  constructor(pathBytesMax = 4096) {
    this.#pathBytesMax = pathBytesMax;
  }

  /** `path` relative to the image's root. The answer has it in its normal form, or says why not. */
  accept(path: string, kind: "file" | "directory"): EntryNameResult {
    const checked = normalizeEntryName(path, this.#pathBytesMax);
    if (!checked.ok) return { refused: checked.reason };
    if (checked.name === "") return { refused: "an entry has no name" };
    const clash = this.#names.add(checked.name, kind);
    return clash === undefined ? { name: checked.name } : { refused: clash };
  }
}
