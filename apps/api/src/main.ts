// The API as a program of its own.

import { runMain } from "@dari/runtime";
import { assembleControl } from "./assemble.ts";
import { readApiConfig } from "./config.ts";
import { startApi } from "./server.ts";

await runMain(async (signal, stack) => {
  const config = readApiConfig();
  const control = await assembleControl(config, stack);
  const api = stack.use(await startApi({ control, host: config.host, port: config.port, signal }));
  control.log.info({ url: api.url, public_url: control.publicUrl }, "listening");
  await api.closed;
});
