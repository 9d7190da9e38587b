// The API's settings. No other file of this program reads the environment.

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
    about:
      "Address that the API listens on. Unless this is a loopback address, npm start requires isolation (see " +
      "DARI_MINIMUM_ISOLATION).",
  }),
  port: integer({
    env: "DARI_PORT",
    default: 4870,
    max: 65_535,
    about: "Port that the API listens on; 0 uses any free port.",
  }),
  publicUrl: url({
    env: "DARI_PUBLIC_URL",
    optional: true,
    about:
      "URL at which clients reach the API, for example https://dari.example.com, without a path. The URLs of " +
      "uploads, triggers, agents and sign-in links start with it, and its origin is the platform's own. The sign-in " +
      "of MCP clients needs https:// here. Unset: made of the address that the API listens on.",
  }),
  trustedProxies: integer({
    env: "DARI_TRUST_PROXY",
    default: 0,
    max: 10,
    about:
      "Number of proxies in front of the API that append the client's address to X-Forwarded-For; 0 ignores the " +
      "header.",
  }),
  unauthenticatedPerMinute: integer({
    env: "DARI_MAX_KEYLESS_CALLS_PER_MINUTE",
    default: limits.unauthenticatedCallsPerMinute,
    max: 1_000_000,
    about:
      "Requests per minute without a valid API key that one API process answers per client address; 0 disables the " +
      "limit.",
  }),
  consoleDir: string({
    env: "DARI_CONSOLE_DIR",
    optional: true,
    about: "Directory of the built console, served at /console. Unset: apps/console/dist of the checkout.",
  }),
  oidc: {
    issuer: url({
      env: "DARI_OIDC_ISSUER",
      optional: true,
      about:
        "URL of the OpenID Connect provider that people sign in with. It must support discovery, and redirect to " +
        "/auth/oidc/callback.",
    }),
    clientId: string({
      env: "DARI_OIDC_CLIENT_ID",
      optional: true,
      about: "Client id of this platform at the provider.",
    }),
    clientSecret: secret({
      env: "DARI_OIDC_CLIENT_SECRET",
      optional: true,
      about: "Client secret at the provider. Unset: a public client with PKCE.",
    }),
    name: string({
      env: "DARI_OIDC_NAME",
      default: "single sign-on",
      pattern: /^.{1,60}$/,
      about: "Name of the provider on the sign-in page.",
    }),
    email: oneOf(["verified", "trusted"], {
      env: "DARI_OIDC_EMAIL",
      default: "verified",
      about:
        "Which email addresses to accept: verified accepts those with `email_verified`, trusted accepts all that the " +
        "provider sends.",
    }),
  },
} as const;

export type ApiConfig = ConfigOf<typeof apiSettings>;

/** Returns the configured provider, or undefined. */
export function readOidcSettings({ oidc }: Pick<ApiConfig, "oidc">): OidcSettings | undefined {
  const { issuer, clientId, clientSecret, name, email } = oidc;
  return issuer === undefined || clientId === undefined ? undefined : { issuer, clientId, clientSecret, name, email };
}

/** Checks combinations of the sign-in settings. */
export function checkOidcSettings({ oidc, publicUrl }: Pick<ApiConfig, "oidc" | "publicUrl">): ConfigProblem[] {
  const { issuer, clientId, clientSecret } = oidc;
  if (issuer === undefined) {
    const isHalf = clientId !== undefined || clientSecret !== undefined;
    return isHalf ? [{ env: "DARI_OIDC_ISSUER", message: "set it together with DARI_OIDC_CLIENT_ID" }] : [];
  }
  const problems: ConfigProblem[] = [];
  if (clientId === undefined)
    problems.push({ env: "DARI_OIDC_CLIENT_ID", message: "set it together with DARI_OIDC_ISSUER" });
  if (publicUrl === undefined) {
    problems.push({
      env: "DARI_PUBLIC_URL",
      message: "set the URL at which browsers reach the platform; DARI_OIDC_ISSUER requires it",
    });
  }
  const url = new URL(issuer);
  if (url.protocol !== "https:" && !isLoopback(url)) {
    problems.push({ env: "DARI_OIDC_ISSUER", message: "expected https://, except on this machine" });
  }
  return problems;
}

/** @throws ConfigError with every problem at once. */
export function readApiConfig(env: Environment = process.env): ApiConfig {
  return readConfig(apiSettings, env, {
    check: (config) => [...checkServiceSettings(config), ...checkOidcSettings(config)],
  });
}
