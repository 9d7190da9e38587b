// An identity provider with OIDC discovery: authorization code with PKCE. The only file that imports the OIDC library.

import * as openid from "openid-client";
import { isLoopbackHost, type Redacted } from "@dari/domain";

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret: Redacted | undefined;
  /** The label of the sign-in button. */
  readonly name: string;
  /** `verified`: only addresses that the provider has verified; `trusted`: all addresses. */
  readonly email: "verified" | "trusted";
}

/** What the browser stores until it returns. */
export interface OidcAttempt {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export interface OidcPerson {
  readonly issuer: string;
  readonly subject: string;
  /** Undefined if the provider sends no address, or an unverified one. */
  readonly email: string | undefined;
}

export interface OidcProvider {
  readonly name: string;
  /** Returns where to redirect the browser. Rejects if the provider cannot be reached. */
  begin(redirectUri: string, round: OidcAttempt): Promise<URL>;
  /** Returns who signed in, from the whole address that the browser returned to. Rejects if anything in it is wrong. */
  finish(url: URL, round: OidcAttempt): Promise<OidcPerson>;
}

/** Time limit of one call to the provider, in seconds. */
const timeoutSeconds = 10;
/** How long the provider's metadata is cached, in milliseconds. */
const believedMs = 3_600_000;

export function createOidcAttempt(): OidcAttempt {
  return {
    state: openid.randomState(),
    nonce: openid.randomNonce(),
    codeVerifier: openid.randomPKCECodeVerifier(),
  };
}

/** Makes no call yet, so the platform starts while the provider is unavailable. */
export function createOidcProvider(settings: OidcSettings): OidcProvider {
  let known: { readonly until: number; readonly found: Promise<openid.Configuration> } | undefined;
  const discover = (): Promise<openid.Configuration> => {
    if (known !== undefined && known.until > Date.now()) return known.found;
    const found = discovery(settings);
    const mine = { until: Date.now() + believedMs, found };
    known = mine;
    // After a failure, the next caller tries again.
    found.catch(() => {
      if (known === mine) known = undefined;
    });
    return found;
  };
  return {
    name: settings.name,
    async begin(redirectUri, { state, nonce, codeVerifier }) {
      return openid.buildAuthorizationUrl(await discover(), {
        redirect_uri: redirectUri,
        scope: "openid email",
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: "S256",
      });
    },
    async finish(url, { state, nonce, codeVerifier }) {
      const provider = await discover();
      const tokens = await openid.authorizationCodeGrant(provider, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error("the provider gave no ID token");
      // Some providers send the address only from the userinfo endpoint.
      const asked = claims["email"] === undefined && provider.serverMetadata().userinfo_endpoint !== undefined;
      const about = asked ? await openid.fetchUserInfo(provider, tokens.access_token, claims.sub) : claims;
      return { issuer: claims.iss, subject: claims.sub, email: emailOf(about, settings.email) };
    },
  };
}

function discovery({ issuer, clientId, clientSecret }: OidcSettings): Promise<openid.Configuration> {
  const url = new URL(issuer);
  const authentication = clientSecret === undefined ? openid.None() : openid.ClientSecretPost(clientSecret.reveal());
  // Verify signatures even though tokens come from the provider directly. Allow unencrypted connections only to
  // loopback.
  const isLocal = url.protocol === "http:" && isLoopback(url);
  const execute = [openid.enableNonRepudiationChecks, ...(isLocal ? [openid.allowInsecureRequests] : [])];
  return openid.discovery(url, clientId, undefined, authentication, { execute, timeout: timeoutSeconds });
}

/** Returns whether an issuer is on loopback, where it needs no encryption. */
export function isLoopback({ hostname }: URL): boolean {
  return isLoopbackHost(hostname);
}

function emailOf(about: Readonly<Record<string, unknown>>, believe: OidcSettings["email"]): string | undefined {
  const [email, verified] = [about["email"], about["email_verified"]];
  // Members' addresses are ASCII. A non-ASCII letter can have an ASCII lower case, and would match another person's
  // address.
  if (typeof email !== "string" || email.length > 254 || !/^[\x21-\x7e]+$/.test(email)) return undefined;
  // Some providers send the flag as text.
  return believe === "trusted" || verified === true || verified === "true" ? email.toLowerCase() : undefined;
}
