// Jest transform: strips types exactly as Node does at run time, so tests run the code that ships.

import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

export default {
  process(source, filename) {
    return { code: filename.endsWith(".ts") ? stripTypeScriptTypes(source) : source };
  },
  getCacheKey(source, filename) {
    return createHash("sha256").update(process.version).update(filename).update(source).digest("hex");
  },
};
