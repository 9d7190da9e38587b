// Which members an image can have: one rule for making and for unpacking an image.

import { NameRegistry, normalizeMemberName } from "@dari/bundles";

export type Accepted = { readonly name: string } | { readonly refused: string };

/** Remembers the members that it accepted: no two of them may meet on a disk. */
export class ImageMembers {
  readonly #names = new NameRegistry();
  readonly #pathBytesMax: number;

  /** The default is for images that exist. */
  constructor(pathBytesMax = 4096) {
    this.#pathBytesMax = pathBytesMax;
  }

  /** `path` relative to the image's root. The answer has it in its normal form, or says why not. */
  accept(path: string, kind: "file" | "directory"): Accepted {
    const checked = normalizeMemberName(path, this.#pathBytesMax);
    if (!checked.ok) return { refused: checked.reason };
    if (checked.name === "") return { refused: "a member has no name" };
    const clash = this.#names.add(checked.name, kind);
    return clash === undefined ? { name: checked.name } : { refused: clash };
  }
}
