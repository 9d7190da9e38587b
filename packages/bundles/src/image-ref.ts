// Identifies an image: enough to fetch it, verify it and run it.

import type { Language } from "@dari/contract";
import type { DependencyLayerRef } from "./dependency-layer.ts";

export interface ImageRef {
  /** sha256 of the image's tar before compression, 64 hex digits. */
  readonly digest: string;
  readonly objectKey: string;
  /** Its dependencies, which are a separate object. */
  readonly layer?: DependencyLayerRef;
  readonly runtime: { readonly language: Language; /** Exact. */ readonly version: string };
  /** `file` is relative to the image's root; for TypeScript it is the compiled one. */
  readonly entry: { readonly file: string; readonly export: string };
}
