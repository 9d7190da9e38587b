// What other programs start in their own process.

export { createApp, type AppOptions } from "./app.ts";
export { startApi, type RunningApi, type StartApiOptions } from "./server.ts";
export { apiSettings, oidcProblems, oidcSettingsOf } from "./config.ts";
