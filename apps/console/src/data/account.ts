// The signed-in account, by a key that this tab keeps or by the browser's cookie, and its HTTP client.

import { ApiError, createClient, type Client } from "@dari/client";
import type { Me, OrganizationRecord } from "@dari/contract";
import { createContext, useContext } from "react";

export interface Account {
  readonly client: Client;
  readonly organization: OrganizationRecord;
  readonly release: string | undefined;
  /** The signed-in person, or null if a key is used. */
  readonly member: Me["member"];
  /** Decides what is shown. The platform decides what is allowed. */
  readonly isAdmin: boolean;
  readonly isOperator: boolean;
}

const storedAs = "dari.api_key";

/** The key is stored for this tab only: another tab, or the next visit, signs in again. */
function storedKey(): string | undefined {
  return sessionStorage.getItem(storedAs) ?? undefined;
}

/** Signs in with a key and stores it. @throws Error with a message for the person if the key is refused. */
export async function signIn(apiKey: string): Promise<Account> {
  try {
    const account = await enterBy({ apiKey });
    sessionStorage.setItem(storedAs, apiKey);
    return account;
  } catch (error) {
    if (!isUnknown(error)) throw error;
    throw new Error("The platform does not know this key. It may be mistyped, revoked or expired.", { cause: error });
  }
}

/** Signs in with the secret behind a sign-in link's `#`. The platform's answer sets the cookie. */
export async function signInWithLink(token: string): Promise<Account> {
  await createClient({ apiUrl: location.origin }).openSignInLink(token);
  sessionStorage.removeItem(storedAs);
  return enterBy({});
}

/** Returns the account of this tab's key or of the cookie, or undefined without a sign-in. */
export async function resumeAccount(): Promise<Account | undefined> {
  const apiKey = storedKey();
  try {
    return await enterBy(apiKey === undefined ? {} : { apiKey });
  } catch (error) {
    if (!isUnknown(error)) throw error;
    sessionStorage.removeItem(storedAs);
    return undefined;
  }
}

/** Forgets the key, or ends the person's sign-in, which another tab may already have ended. */
export async function signOut({ client }: Account): Promise<void> {
  if (storedKey() === undefined) {
    await client.signOut().catch((error: unknown) => {
      if (!isUnknown(error)) throw error;
    });
  }
  sessionStorage.removeItem(storedAs);
}

async function enterBy(options: { readonly apiKey?: string }): Promise<Account> {
  const client = createClient({ apiUrl: location.origin, ...options });
  const [{ organization, member, scopes }, { release }] = await Promise.all([client.getMe(), client.probe()]);
  const isAdmin = scopes.includes("admin");
  return { client, organization, release, member, isAdmin, isOperator: isAdmin && organization.is_operator };
}

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

const context = createContext<Account | undefined>(undefined);
export const AccountProvider = context.Provider;

/** The account of everything below the sign-in page. */
export function useAccount(): Account {
  const account = useContext(context);
  if (account === undefined) throw new Error("nobody is signed in");
  return account;
}
