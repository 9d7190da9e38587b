// The frame around every page: who is signed in, the way to the pages, and which one is shown.

import { useEffect, useMemo, useRef, useState } from "react";
import { AccountProvider, forgetKey, type Account } from "./data/account.ts";
import { useRoute, type Route } from "./data/route.ts";
import { AgentPage } from "./pages/agent.tsx";
import { AgentsPage } from "./pages/agents.tsx";
import { CredentialsPage } from "./pages/credentials.tsx";
import { FailedPage } from "./pages/failed.tsx";
import { FleetPage } from "./pages/fleet.tsx";
import { KeysPage } from "./pages/api-keys.tsx";
import { MessagePage } from "./pages/message.tsx";
import { SessionPage } from "./pages/session/session.tsx";
import { SessionsPage } from "./pages/sessions.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { VersionPage } from "./pages/version.tsx";
import { Empty } from "./parts/notes.tsx";
import { Link } from "./parts/link.tsx";
import { Shortcuts, type Place } from "./parts/shortcuts.tsx";

const places: readonly Place[] = [
  { key: "a", to: "/agents", label: "Agents" },
  { key: "s", to: "/sessions", label: "Sessions" },
  { key: "x", to: "/failed", label: "Failed messages" },
  { key: "c", to: "/credentials", label: "Credentials" },
  { key: "k", to: "/keys", label: "API keys" },
];
const operatorPlaces: readonly Place[] = [{ key: "f", to: "/fleet", label: "Fleet" }];

export function App() {
  const [account, setAccount] = useState<Account>();
  if (account === undefined) return <SignInPage onSignedIn={setAccount} />;
  const signOut = (): void => {
    forgetKey();
    setAccount(undefined);
  };
  return (
    <AccountProvider value={account}>
      <Frame account={account} onSignOut={signOut} />
    </AccountProvider>
  );
}

function Frame({ account, onSignOut }: { readonly account: Account; readonly onSignOut: () => void }) {
  const route = useRoute();
  const { is_operator: isOperator, name } = account.organization;
  const main = useFocusOnMove(route.path.join("/"));
  const shown = useMemo(() => (isOperator ? [...places, ...operatorPlaces] : places), [isOperator]);
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <nav aria-label="Pages">
        <span className="brand">Dari</span>
        <span className="organization">{name}</span>
        {shown.map(({ to, label }) => (
          <Link key={to} to={to} aria-current={isIn(route, to) ? "page" : undefined}>
            {label}
          </Link>
        ))}
        <span className="space" />
        <span className="faint">release {account.release ?? "unknown"}</span>
        <button type="button" className="quiet" onClick={onSignOut}>
          Sign out
        </button>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Shown route={route} />
      </main>
      <Shortcuts places={shown} />
    </div>
  );
}

/** Where a link has led, the page and not the link has the focus: Tab and a screen reader go on from there. */
function useFocusOnMove(place: string) {
  const main = useRef<HTMLElement>(null);
  const shownPlace = useRef(place);
  useEffect(() => {
    if (shownPlace.current !== place) main.current?.focus({ preventScroll: true });
    shownPlace.current = place;
  }, [place]);
  return main;
}

function isIn({ path: [first = "agents"] }: Route, to: string): boolean {
  return to === `/${first === "messages" ? "sessions" : first}`;
}

/** The page of a route. Its key starts it afresh for another thing. */
function Shown({ route }: { readonly route: Route }) {
  const [noun = "agents", id, , under] = route.path;
  if (noun === "agents" && under !== undefined) return <VersionPage key={under} agentId={id ?? ""} versionId={under} />;
  if (noun === "agents") return id === undefined ? <AgentsPage /> : <AgentPage key={id} agentId={id} />;
  if (noun === "sessions" && id === undefined) return <SessionsPage query={route.query} />;
  if (noun === "sessions") return <SessionPage key={id} sessionId={id ?? ""} />;
  if (noun === "messages" && id !== undefined) return <MessagePage key={id} messageId={id} />;
  if (noun === "credentials") return <CredentialsPage />;
  if (noun === "keys") return <KeysPage />;
  if (noun === "failed") return <FailedPage />;
  if (noun === "fleet") return <FleetPage />;
  return <Empty title="There is no such page">Press ? for the keys that lead to those there are.</Empty>;
}
