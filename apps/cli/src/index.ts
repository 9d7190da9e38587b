// The command as a library, for programs that deploy a directory as `dari deploy` does.

export { buildBundle, type Bundle } from "./bundle/bundle.ts";
export type { BundleFile } from "./bundle/select.ts";
export { main } from "./main.ts";
