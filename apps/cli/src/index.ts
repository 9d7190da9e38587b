// The command as a library, for programs that deploy a directory as `dari deploy` does.

export { buildBundle } from "./bundle/pack-bundle.ts";
