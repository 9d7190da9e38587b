// Where things are in this checkout. Every other script builds its paths from here.

import { fileURLToPath } from "node:url";
import path from "node:path";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
export const cacheDir = path.join(root, ".cache");
export const at = (...parts) => path.join(root, ...parts);
