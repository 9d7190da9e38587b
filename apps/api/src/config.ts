// The API's settings. The only place of this program that reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control/assembly";
import { limits } from "@dari/domain";
import {
  integer,
  oneOf,
  readConfig,
  secret,
  string,
  url,
  type ConfigOf,
  type ConfigProblem,
  type Environment,
} from "@dari/runtime";
import { isLoopback, type OidcSettings } from "./sign-in/oidc-provider.ts";

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
  trustedProxies: integer({
    env: "DARI_TRUST_PROXY",
    default: 0,
    max: 10,
    about: "Proxies in front of the API that add the client's address to X-Forwarded-For; 0: it is not believed.",
  }),
  unauthenticatedPerMinute: integer({
    env: "DARI_MAX_KEYLESS_CALLS_PER_MINUTE",
    default: limits.unauthenticatedCallsPerMinute,
    max: 1_000_000,
    about: "Calls without a valid API key that an API process answers one address in a minute; 0: no bound.",
  }),
  consoleDir: string({
    env: "DARI_CONSOLE_DIR",
    optional: true,
    about: "The built console, served at /console; default: apps/console/dist of the checkout.",
  }),
  oidc: {
    issuer: url({
      env: "DARI_OIDC_ISSUER",
      optional: true,
      about: "The identity provider that people sign in through; needs discovery. Redirects to /auth/oidc/callback.",
    }),
    clientId: string({ env: "DARI_OIDC_CLIENT_ID", optional: true, about: "As the provider knows this platform." }),
    clientSecret: secret({
      env: "DARI_OIDC_CLIENT_SECRET",
      optional: true,
      about: "Belongs to the client id; absent: a public client, which PKCE protects.",
    }),
    name: string({
      env: "DARI_OIDC_NAME",
      default: "single sign-on",
      pattern: /^.{1,60}$/,
      about: "What the provider is called on the sign-in page.",
    }),
    email: oneOf(["verified", "trusted"], {
      env: "DARI_OIDC_EMAIL",
      default: "verified",
      about: "trusted: believe every address that the provider names, also without `email_verified`.",
    }),
  },
} as const;

export type ApiConfig = ConfigOf<typeof apiSettings>;

/** The provider that is configured; undefined when there is none. */
export function oidcSettingsOf({ oidc }: Pick<ApiConfig, "oidc">): OidcSettings | undefined {
  const { issuer, clientId, clientSecret, name, email } = oidc;
  return issuer === undefined || clientId === undefined ? undefined : { issuer, clientId, clientSecret, name, email };
}

/** Combinations of what people sign in by. */
export function oidcProblems({ oidc, publicUrl }: Pick<ApiConfig, "oidc" | "publicUrl">): ConfigProblem[] {
  const { issuer, clientId, clientSecret } = oidc;
  if (issuer === undefined) {
    const isHalf = clientId !== undefined || clientSecret !== undefined;
    return isHalf ? [{ env: "DARI_OIDC_ISSUER", message: "goes together with DARI_OIDC_CLIENT_ID" }] : [];
  }
  const problems: ConfigProblem[] = [];
  if (clientId === undefined) problems.push({ env: "DARI_OIDC_CLIENT_ID", message: "goes together with the issuer" });
  if (publicUrl === undefined) {
    problems.push({
      env: "DARI_PUBLIC_URL",
      message: "say where browsers reach the platform: they are sent back there",
    });
  }
  const url = new URL(issuer);
  if (url.protocol !== "https:" && !isLoopback(url)) {
    problems.push({ env: "DARI_OIDC_ISSUER", message: "expected https:// beyond this machine" });
  }
  return problems;
}

/** @throws ConfigError with every problem at once. */
export function readApiConfig(env: Environment = process.env): ApiConfig {
  return readConfig(apiSettings, env, {
    check: (config) => [...checkServiceSettings(config), ...oidcProblems(config)],
  });
}
