// What other programs start in their own process.

export { startApi, type RunningApi } from "./server.ts";
export { apiSettings, oidcProblems, oidcSettingsOf } from "./config.ts";
