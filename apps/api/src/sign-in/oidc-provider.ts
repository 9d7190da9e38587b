// An identity provider that signs people in, whichever has discovery: by authorization code with PKCE. The library
// that speaks to it lives here only.

import * as openid from "openid-client";
import type { Redacted } from "@dari/domain";

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client. */
  readonly clientSecret: Redacted | undefined;
  /** What the button says. */
  readonly name: string;
  /** `verified`: only addresses that the provider says it has verified; `trusted`: all that it names. */
  readonly email: "verified" | "trusted";
}

/** What the browser keeps until it comes back. */
export interface OidcRound {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export interface OidcPerson {
  readonly issuer: string;
  readonly subject: string;
  /** Undefined when the provider names none, or one that it has not verified. */
  readonly email: string | undefined;
}

export interface OidcProvider {
  readonly name: string;
  /** Where to send the browser. Rejects when the provider cannot be reached. */
  begin(redirectUri: string, round: OidcRound): Promise<URL>;
  /** Who has come back, to `url`, the whole address. Rejects for whatever is not right with it. */
  finish(url: URL, round: OidcRound): Promise<OidcPerson>;
}

/** Seconds that one answer of the provider may take. */
const timeoutSeconds = 10;
/** How long what the provider says of itself is believed. Milliseconds. */
const believedMs = 3_600_000;

export function newRound(): OidcRound {
  return {
    state: openid.randomState(),
    nonce: openid.randomNonce(),
    codeVerifier: openid.randomPKCECodeVerifier(),
  };
}

/** Asks nothing of the provider yet: one that is away at the start keeps no platform from starting. */
export function createOidcProvider(settings: OidcSettings): OidcProvider {
  let known: { readonly until: number; readonly found: Promise<openid.Configuration> } | undefined;
  const discover = (): Promise<openid.Configuration> => {
    if (known !== undefined && known.until > Date.now()) return known.found;
    const found = discovery(settings);
    const mine = { until: Date.now() + believedMs, found };
    known = mine;
    // Who comes next asks again.
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
      // Some say the address only when they are asked for it.
      const asked = claims["email"] === undefined && provider.serverMetadata().userinfo_endpoint !== undefined;
      const about = asked ? await openid.fetchUserInfo(provider, tokens.access_token, claims.sub) : claims;
      return { issuer: claims.iss, subject: claims.sub, email: emailOf(about, settings.email) };
    },
  };
}

function discovery({ issuer, clientId, clientSecret }: OidcSettings): Promise<openid.Configuration> {
  const url = new URL(issuer);
  const authentication = clientSecret === undefined ? openid.None() : openid.ClientSecretPost(clientSecret.reveal());
  // Signatures are looked at although the tokens come from the provider itself; and what is not encrypted goes no
  // further than this machine.
  const isLocal = url.protocol === "http:" && isLoopback(url);
  const execute = [openid.enableNonRepudiationChecks, ...(isLocal ? [openid.allowInsecureRequests] : [])];
  return openid.discovery(url, clientId, undefined, authentication, { execute, timeout: timeoutSeconds });
}

/** Returns whether an issuer's address is on loopback, where it needs no encryption. */
export function isLoopback({ hostname }: URL): boolean {
  return ["127.0.0.1", "[::1]", "localhost"].includes(hostname);
}

function emailOf(about: Readonly<Record<string, unknown>>, believe: OidcSettings["email"]): string | undefined {
  const [email, verified] = [about["email"], about["email_verified"]];
  // Members' addresses are ASCII: another letter that has one of theirs as its lower case is somebody else's.
  if (typeof email !== "string" || email.length > 254 || !/^[\x21-\x7e]+$/.test(email)) return undefined;
  // Some providers send text.
  return believe === "trusted" || verified === true || verified === "true" ? email.toLowerCase() : undefined;
}
