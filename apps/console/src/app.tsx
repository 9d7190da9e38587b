// The frame around every page: the navigation, the signed-in person, and the current page.

import { useEffect, useMemo, useRef, useState } from "react";
import { AccountProvider, signOut, type Account } from "./data/account.ts";
import { useAction } from "./data/action.ts";
import { useRoute, type Route } from "./data/route.ts";
import { AgentPage } from "./pages/agent.tsx";
import { AgentsPage } from "./pages/agents.tsx";
import { CredentialsPage } from "./pages/credentials.tsx";
import { BudgetsPage } from "./pages/budgets/budgets.tsx";
import { BatchPage } from "./pages/batches/batch.tsx";
import { BatchesPage } from "./pages/batches/batches.tsx";
import { DevicePage } from "./pages/device.tsx";
import { EgressPage } from "./pages/egress/egress.tsx";
import { FailedPage } from "./pages/failed.tsx";
import { FleetPage } from "./pages/fleet/fleet.tsx";
import { JoinPage } from "./pages/join.tsx";
import { KeysPage } from "./pages/api-keys.tsx";
import { MembersPage } from "./pages/members/members.tsx";
import { MessagePage } from "./pages/message.tsx";
import { SchedulePage } from "./pages/schedules/schedule.tsx";
import { SchedulesPage } from "./pages/schedules/schedules.tsx";
import { SessionPage } from "./pages/session/session.tsx";
import { SessionsPage } from "./pages/sessions.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { UsagePage } from "./pages/usage.tsx";
import { VersionPage } from "./pages/version.tsx";
import { EndpointPage } from "./pages/webhooks/endpoint.tsx";
import { WebhooksPage } from "./pages/webhooks/webhooks.tsx";
import { Empty, ErrorNote } from "./parts/notes.tsx";
import { Link } from "./parts/link.tsx";
import { Shortcuts, type Place } from "./parts/shortcuts.tsx";

interface Group {
  readonly label: string;
  /** The places of `adminPlaces` that need only the scope `admin`. */
  readonly places: readonly Place[];
}

const groups: readonly Group[] = [
  {
    label: "Work",
    places: [
      { key: "a", to: "/agents", label: "Agents" },
      { key: "s", to: "/sessions", label: "Sessions" },
      { key: "t", to: "/schedules", label: "Schedules" },
      { key: "n", to: "/batches", label: "Batches" },
      { key: "x", to: "/failed", label: "Failed messages" },
    ],
  },
  {
    label: "Organization",
    places: [
      { key: "u", to: "/usage", label: "Usage" },
      { key: "b", to: "/budgets", label: "Budgets" },
      { key: "w", to: "/webhooks", label: "Webhooks" },
      { key: "p", to: "/members", label: "Members" },
      { key: "c", to: "/credentials", label: "Credentials" },
      { key: "e", to: "/egress", label: "Egress" },
      { key: "k", to: "/keys", label: "API keys" },
    ],
  },
];
const adminPlaces = ["/failed", "/budgets", "/webhooks", "/members", "/credentials", "/egress", "/keys"];
const operators: Group = { label: "Operators", places: [{ key: "f", to: "/fleet", label: "Fleet" }] };

export function App() {
  const [account, setAccount] = useState<Account>();
  const route = useRoute();
  if (route.path[0] === "join") return <JoinPage onSignedIn={setAccount} />;
  if (account === undefined) return <SignInPage onSignedIn={setAccount} />;
  return (
    <AccountProvider value={account}>
      <Frame account={account} onSignedOut={() => setAccount(undefined)} />
    </AccountProvider>
  );
}

function Frame({ account, onSignedOut }: { readonly account: Account; readonly onSignedOut: () => void }) {
  const route = useRoute();
  const { member, organization, isAdmin, isOperator } = account;
  const { name } = organization;
  const leave = useAction(async () => {
    await signOut(account);
    onSignedOut();
  });
  const main = useFocusOnMove(route.path.join("/"));
  const shown = useMemo(() => groupsFor({ isAdmin, isOperator }), [isAdmin, isOperator]);
  const places = useMemo(() => shown.flatMap((group) => group.places), [shown]);
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <nav aria-label="Pages">
        <span className="brand">Dari</span>
        <span className="organization" title={name}>
          {name}
        </span>
        {shown.map((group) => (
          <Places key={group.label} group={group} route={route} />
        ))}
        <span className="space" />
        {member && (
          <span className="faint clip" title={member.email}>
            {member.email}
          </span>
        )}
        <span className="faint">release {account.release ?? "unknown"}</span>
        <ErrorNote error={leave.error} />
        <button type="button" className="quiet" onClick={leave.run}>
          Sign out
        </button>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Shown route={route} />
      </main>
      <Shortcuts places={places} />
    </div>
  );
}

function groupsFor({ isAdmin, isOperator }: Pick<Account, "isAdmin" | "isOperator">): readonly Group[] {
  if (isOperator) return [...groups, operators];
  if (isAdmin) return groups;
  return groups.map(({ label, places }) => ({ label, places: places.filter(({ to }) => !adminPlaces.includes(to)) }));
}

function Places({ group: { label, places }, route }: { readonly group: Group; readonly route: Route }) {
  return (
    <>
      <span className="group">{label}</span>
      {places.map(({ to, label: name, key }) => (
        <Link key={to} to={to} aria-current={isIn(route, to) ? "page" : undefined} title={`g ${key}`}>
          {name}
        </Link>
      ))}
    </>
  );
}

/** After a link is followed, the page gets the focus, so that Tab and screen readers continue there. */
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

/** Returns the page of a route. Its key resets the page's state when the route shows another object. */
function Shown({ route }: { readonly route: Route }) {
  const [first = "agents", id, , under] = route.path;
  const noun = first === "sign-in" ? "agents" : first;
  if (noun === "agents" && under !== undefined) return <VersionPage key={under} agentId={id ?? ""} versionId={under} />;
  if (noun === "agents") return id === undefined ? <AgentsPage /> : <AgentPage key={id} agentId={id} />;
  if (noun === "sessions" && id === undefined) return <SessionsPage query={route.query} />;
  if (noun === "sessions") return <SessionPage key={id} sessionId={id ?? ""} />;
  if (noun === "messages" && id !== undefined) return <MessagePage key={id} messageId={id} />;
  if (noun === "schedules") return id === undefined ? <SchedulesPage /> : <SchedulePage key={id} scheduleId={id} />;
  if (noun === "batches") return id === undefined ? <BatchesPage /> : <BatchPage key={id} batchId={id} />;
  if (noun === "credentials") return <CredentialsPage />;
  if (noun === "egress") return <EgressPage query={route.query} />;
  if (noun === "keys") return <KeysPage />;
  if (noun === "failed") return <FailedPage query={route.query} />;
  if (noun === "usage") return <UsagePage />;
  if (noun === "device") return <DevicePage query={route.query} />;
  if (noun === "members") return <MembersPage />;
  if (noun === "budgets") return <BudgetsPage />;
  if (noun === "webhooks") return id === undefined ? <WebhooksPage /> : <EndpointPage key={id} endpointId={id} />;
  if (noun === "fleet") return <FleetPage />;
  return <Empty title="There is no such page">Press ? for a list of shortcuts to pages.</Empty>;
}
