// Compiles our own C programs beside their sources, for an image: `node packages/sandbox/src/ship-programs.ts`.

import { shipPrograms } from "./compiled-program.ts";

await shipPrograms();
