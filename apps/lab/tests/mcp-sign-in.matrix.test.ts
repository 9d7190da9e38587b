// An MCP client connects in a real browser: the SDK's own sign-in against a running platform, with people who sign in
// by a link, through an identity provider or with a key.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { freePort } from "@dari/embedded";
import { describeWith, startOidcServer, waitUntil, type TestOidcServer } from "@dari/testkit";
import { auth, type OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js";
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from "@modelcontextprotocol/sdk/shared/auth.js";
import type { Browser, Page } from "playwright-core";
import { inspect, openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { checkout } from "../src/program.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

/** A client as the SDK's users write one. It keeps what it gets in memory. */
class MemoryProvider implements OAuthClientProvider {
  readonly redirectUrl: string;
  readonly name: string;
  url: URL | undefined;
  #client: OAuthClientInformationMixed | undefined;
  #tokens: OAuthTokens | undefined;
  #verifier = "";

  constructor(redirectUrl: string, name: string) {
    this.redirectUrl = redirectUrl;
    this.name = name;
  }
  get clientMetadata(): OAuthClientMetadata {
    return { client_name: this.name, redirect_uris: [this.redirectUrl], grant_types: ["authorization_code"] };
  }
  state = (): string => "the client’s state";
  clientInformation = (): OAuthClientInformationMixed | undefined => this.#client;
  saveClientInformation = (client: OAuthClientInformationMixed): void => void (this.#client = client);
  tokens = (): OAuthTokens | undefined => this.#tokens;
  saveTokens = (tokens: OAuthTokens): void => void (this.#tokens = tokens);
  redirectToAuthorization = (url: URL): void => void (this.url = url);
  saveCodeVerifier = (verifier: string): void => void (this.#verifier = verifier);
  codeVerifier = (): string => this.#verifier;
  /** The SDK calls it when the platform refuses a token. */
  invalidateCredentials = (scope: string): void => void (scope === "tokens" && (this.#tokens = undefined));
}

describeWith("chromium", "the sign-in of an MCP client", ({ command }) => {
  let provider: TestOidcServer;
  let platform: StandaloneProcess;
  let client: Client;
  let browser: Browser;
  /** The client's own server, which the browser returns to. */
  let listener: Server;
  const answers: URL[] = [];
  let redirectUrl: string;

  beforeAll(async () => {
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    provider = await startOidcServer();
    listener = createServer((request, response) => {
      const url = new URL(request.url ?? "/", redirectUrl);
      if (url.pathname === "/callback") answers.push(url);
      response.setHeader("content-type", "text/html").end(`<h1>The client</h1>${url.searchParams.get("html") ?? ""}`);
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
    const port = String(await freePort());
    [platform, browser] = await Promise.all([
      startStandalone({
        DARI_PORT: port,
        DARI_PUBLIC_URL: `http://127.0.0.1:${port}`,
        DARI_OIDC_ISSUER: provider.issuer,
        DARI_OIDC_CLIENT_ID: provider.clientId,
        DARI_OIDC_CLIENT_SECRET: provider.clientSecret,
        DARI_OIDC_NAME: "Example",
      }),
      startBrowser(command),
    ]);
    client = createClient(platform);
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await provider?.[Symbol.asyncDispose]();
    listener?.closeAllConnections();
    listener?.close();
  }, 60_000);

  const escapeUrl = (url: URL | undefined): string => String(url).replaceAll("&", "&amp;");
  const pageWith = (html: string, host: string): string => {
    const page = new URL(`/page?html=${encodeURIComponent(html)}`, redirectUrl);
    page.hostname = host;
    return page.href;
  };
  const serverUrl = (): string => `${platform.apiUrl}/mcp`;

  /** Starts the SDK's sign-in, and follows a link of another site to the address that it asks a browser to open. */
  async function begin(page: Page, name: string): Promise<MemoryProvider> {
    const mine = new MemoryProvider(redirectUrl, name);
    expect(await auth(mine, { serverUrl: serverUrl() })).toBe("REDIRECT");
    await page.goto(pageWith(`<a href="${escapeUrl(mine.url)}">Connect</a>`, "localhost"));
    await page.getByRole("link", { name: "Connect" }).click();
    return mine;
  }

  /** Returns the parameters with which the browser has returned to the client. */
  async function answer(page: Page): Promise<URLSearchParams> {
    await waitUntil(() => Promise.resolve(answers.length > 0), { what: "the answer to the client" });
    await page.getByRole("heading", { name: "The client" }).waitFor();
    const { searchParams } = answers.shift() ?? new URL(redirectUrl);
    expect([searchParams.get("state"), searchParams.get("iss")]).toEqual(["the client’s state", platform.apiUrl]);
    return searchParams;
  }

  async function finish(page: Page, mine: MemoryProvider): Promise<void> {
    const authorizationCode = String((await answer(page)).get("code"));
    expect(await auth(mine, { serverUrl: serverUrl(), authorizationCode })).toBe("AUTHORIZED");
    expect(mine.tokens()).toMatchObject({ token_type: "Bearer", scope: "run read" });
    const before = mine.tokens();
    // The SDK refreshes if it has a refresh token.
    expect(await auth(mine, { serverUrl: serverUrl() })).toBe("AUTHORIZED");
    expect(mine.tokens()?.access_token).not.toBe(before?.access_token);
  }

  async function join(page: Page, email: string): Promise<void> {
    const { url } = await client.createInvitation({ email, role: "member" });
    await page.goto(String(url));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  }

  test("asks an admin who signs in with a key on the way, and keeps the request", async () => {
    const { page, errors } = await openConsole(browser, platform.apiUrl);
    const mine = await begin(page, "Example editor");
    await signIn(page, platform.apiKey);
    await page.getByRole("heading", { name: "Connect an app" }).waitFor();
    await page.getByText("Example editor").waitFor();
    expect(await inspect(page, "authorize")).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await inspect(page, "authorize-narrow")).toEqual([]);
    await page.getByRole("button", { name: "Approve" }).click();
    await finish(page, mine);
    expect(errors.filter((error) => !error.includes("401"))).toEqual([]);
    await page.context().close();
  });

  test("asks a member who signs in by a link, who sees the app and disconnects it", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await join(page, "ann@people.example");
    const mine = await begin(page, "<b>Not bold</b>");
    await page.getByText("<b>Not bold</b>").waitFor();
    await page.getByText("ann@people.example").last().waitFor();
    await page.getByRole("button", { name: "Approve" }).click();
    await finish(page, mine);
    await page.goto(`${platform.apiUrl}/console/apps`);
    const table = page.getByRole("table", { name: "Connected apps" });
    await table.getByText("<b>Not bold</b>").waitFor();
    expect(await inspect(page, "apps")).toEqual([]);
    await table.getByRole("button", { name: "Disconnect" }).click();
    await page.getByRole("button", { name: "Disconnect it" }).click();
    await page.getByRole("heading", { name: "No connected apps" }).waitFor();
    // The SDK asks the person again.
    expect(await auth(mine, { serverUrl: serverUrl() })).toBe("REDIRECT");
    await page.context().close();
  });

  test("asks a member who comes back from the identity provider", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await join(page, "bob@people.example");
    await page.getByRole("button", { name: "Sign out" }).click();
    Object.assign(provider, { user: { sub: "bob", email: "bob@people.example", email_verified: true } });
    const mine = await begin(page, "Another editor");
    // A refusal does not lose the request.
    Object.assign(provider, { fault: "denied" });
    await page.getByRole("link", { name: "Sign in with Example" }).click();
    await page.getByText("did not sign you in").waitFor();
    Object.assign(provider, { fault: undefined });
    await page.getByRole("link", { name: "Sign in with Example" }).click();
    await page.getByText("Another editor").waitFor();
    await page.getByRole("button", { name: "Approve" }).click();
    await finish(page, mine);
    await begin(page, "Another editor");
    await page.getByRole("button", { name: "Deny" }).click();
    expect((await answer(page)).get("error")).toBe("access_denied");
    await page.context().close();
  });

  test("does not let a click approve that was meant for another page, even if the request is shown late", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await join(page, "dan@people.example");
    const shown = Promise.withResolvers<void>();
    const asking = page.waitForRequest("**/v1/me/app-authorization?*");
    await page.route("**/v1/me/app-authorization?*", async (route) => {
      await shown.promise;
      await route.continue();
    });
    await page.clock.install();
    const mine = await begin(page, "Slow editor");
    await asking;
    await page.clock.pauseAt(Date.now() + 5_000);
    shown.resolve();
    const approve = page.getByRole("button", { name: "Approve" });
    const isShown = async (): Promise<boolean> => {
      await page.clock.runFor(50);
      return approve.isVisible();
    };
    await waitUntil(isShown, { what: "the request" });
    expect(await approve.isDisabled()).toBe(true);
    await page.clock.runFor(1_000);
    await approve.click();
    await finish(page, mine);
    await page.context().close();
  });

  test("does not lead to an address that the client has not registered, and is not shown in a frame", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await join(page, "eve@people.example");
    const mine = await begin(page, "Evil editor");
    const changed = new URL(String(mine.url));
    changed.searchParams.set("redirect_uri", "https://evil.example/");
    await page.goto(changed.href);
    await page.getByText("has not registered this address").waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
    expect(await inspect(page, "authorize-refused")).toEqual([]);
    changed.searchParams.set("redirect_uri", redirectUrl);
    changed.searchParams.set("code_challenge_method", "plain");
    await page.goto(changed.href);
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
    await page.getByRole("button", { name: "Go back to the app" }).click();
    expect((await answer(page)).get("error")).toBe("invalid_request");
    await page.goto(pageWith(`<iframe src="${escapeUrl(mine.url)}" title="x"></iframe>`, "127.0.0.1"));
    const inside = await waitUntil(async () => page.frames()[1]?.url().startsWith("chrome-error:") ?? false, {
      what: "the refusal of the frame",
    });
    expect(inside).toBe(true);
    await page.context().close();
  });
});
