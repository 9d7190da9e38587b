// The API's settings. The only place of this program that reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control";
import { integer, readConfig, string, url, type ConfigOf, type Environment } from "@dari/runtime";

export const apiSettings = {
  ...serviceSettings,
  host: string({
    env: "DARI_HOST",
    default: "127.0.0.1",
    about: "The address that the API listens on; beyond loopback, a standalone platform must isolate its agents.",
  }),
  port: integer({
    env: "DARI_PORT",
    default: 4870,
    max: 65_535,
    about: "The port that the API listens on; 0 takes a free one.",
  }),
  publicUrl: url({
    env: "DARI_PUBLIC_URL",
    optional: true,
    about: "Where clients reach the API; upload URLs start with it.",
  }),
  consoleDir: string({
    env: "DARI_CONSOLE_DIR",
    optional: true,
    about: "The built console, served at /console; default: apps/console/dist of the checkout.",
  }),
} as const;

export type ApiConfig = ConfigOf<typeof apiSettings>;

/** @throws ConfigError with every problem at once. */
export function readApiConfig(env: Environment = process.env): ApiConfig {
  return readConfig(apiSettings, env, { check: checkServiceSettings });
}
