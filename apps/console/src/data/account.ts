// The account that the browser's cookie is signed in to, and its HTTP client.

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

/**
 * Signs this browser in with a key. The platform's answer sets the cookie; the key itself is not kept.
 * @throws Error with a message for the person if the key is refused.
 */
export async function signIn(apiKey: string): Promise<Account> {
  try {
    await createClient({ apiUrl: location.origin, apiKey }).signInWithKey();
  } catch (error) {
    if (!isUnknown(error)) throw error;
    throw new Error("The platform does not know this key. It may be mistyped, revoked or expired.", { cause: error });
  }
  return loadAccount();
}

/** Signs in with the secret behind a sign-in link's `#`. The platform's answer sets the cookie. */
export async function signInWithLink(token: string): Promise<Account> {
  await createClient({ apiUrl: location.origin }).openSignInLink({ token });
  return loadAccount();
}

/** Returns the account of the browser's cookie, or undefined without a sign-in. */
export async function resumeAccount(): Promise<Account | undefined> {
  try {
    return await loadAccount();
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return undefined;
  }
}

/** Ends this browser's sign-in, which another tab may already have ended. */
export async function signOut({ client }: Account): Promise<void> {
  await client.signOut().catch((error: unknown) => {
    if (!isUnknown(error)) throw error;
  });
}

async function loadAccount(): Promise<Account> {
  const client = createClient({ apiUrl: location.origin });
  const [{ organization, member, scopes }, { release }] = await Promise.all([client.getMe(), client.probe()]);
  const isAdmin = scopes.includes("admin");
  return { client, organization, release, member, isAdmin, isOperator: isAdmin && organization.is_operator };
}

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

const context = createContext<Account | undefined>(undefined);
export const AccountProvider = context.Provider;

/** Returns the account of everything below the sign-in page. */
export function useAccount(): Account {
  const account = useContext(context);
  if (account === undefined) throw new Error("this browser is not signed in");
  return account;
}
