// The frame around every page: the navigation, the signed-in person, and the current page.

import { lazy, Suspense, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { AccountProvider, signOut, type Account } from "./data/account.ts";
import { useAction } from "./data/action.ts";
import { useRoute, type Route } from "./data/route.ts";
import { AgentPage } from "./pages/agent/agent.tsx";
import { AgentsPage } from "./pages/agents.tsx";
import { JoinPage } from "./pages/join.tsx";
import { MessagePage } from "./pages/message/message.tsx";
import { OverviewPage } from "./pages/overview/overview.tsx";
import { SessionPage } from "./pages/session/session.tsx";
import { SessionsPage } from "./pages/sessions/sessions.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { Empty, ErrorNote, Loading } from "./parts/notes.tsx";
import { Link } from "./parts/link.tsx";
import type { Place } from "./parts/place.ts";
import { Page } from "./parts/page.tsx";
import { Shortcuts } from "./parts/shortcuts.tsx";

// Pages that most visits do not open are loaded when they are first shown.
const AppsPage = lazy(() => import("./pages/apps.tsx").then(({ AppsPage: page }) => ({ default: page })));
const AuditPage = lazy(() => import("./pages/audit.tsx").then(({ AuditPage: page }) => ({ default: page })));
const AuthorizePage = lazy(() =>
  import("./pages/authorize.tsx").then(({ AuthorizePage: page }) => ({ default: page })),
);
const CredentialsPage = lazy(() =>
  import("./pages/credentials.tsx").then(({ CredentialsPage: page }) => ({ default: page })),
);
const BudgetsPage = lazy(() =>
  import("./pages/budgets/budgets.tsx").then(({ BudgetsPage: page }) => ({ default: page })),
);
const DevicePage = lazy(() => import("./pages/device.tsx").then(({ DevicePage: page }) => ({ default: page })));
const EgressPage = lazy(() => import("./pages/egress/egress.tsx").then(({ EgressPage: page }) => ({ default: page })));
const FailedPage = lazy(() => import("./pages/failed.tsx").then(({ FailedPage: page }) => ({ default: page })));
const FleetPage = lazy(() => import("./pages/fleet/fleet.tsx").then(({ FleetPage: page }) => ({ default: page })));
const KeysPage = lazy(() => import("./pages/api-keys.tsx").then(({ KeysPage: page }) => ({ default: page })));
const MembersPage = lazy(() =>
  import("./pages/members/members.tsx").then(({ MembersPage: page }) => ({ default: page })),
);
const SettingsPage = lazy(() => import("./pages/settings.tsx").then(({ SettingsPage: page }) => ({ default: page })));
const UploadsPage = lazy(() => import("./pages/uploads.tsx").then(({ UploadsPage: page }) => ({ default: page })));
const UsagePage = lazy(() => import("./pages/usage.tsx").then(({ UsagePage: page }) => ({ default: page })));
const VersionPage = lazy(() => import("./pages/version.tsx").then(({ VersionPage: page }) => ({ default: page })));
const EndpointPage = lazy(() =>
  import("./pages/webhooks/endpoint.tsx").then(({ EndpointPage: page }) => ({ default: page })),
);
const WebhooksPage = lazy(() =>
  import("./pages/webhooks/webhooks.tsx").then(({ WebhooksPage: page }) => ({ default: page })),
);
const SchedulePage = lazy(() =>
  import("./pages/schedules/schedule.tsx").then(({ SchedulePage: page }) => ({ default: page })),
);
const SchedulesPage = lazy(() =>
  import("./pages/schedules/schedules.tsx").then(({ SchedulesPage: page }) => ({ default: page })),
);
const BatchPage = lazy(() => import("./pages/batches/batch.tsx").then(({ BatchPage: page }) => ({ default: page })));
const BatchesPage = lazy(() =>
  import("./pages/batches/batches.tsx").then(({ BatchesPage: page }) => ({ default: page })),
);

interface Group {
  readonly label: string;
  /** The places of `adminPlaces` that need only the scope `admin`. */
  readonly places: readonly Place[];
}

const groups: readonly Group[] = [
  {
    label: "Work",
    places: [
      { key: "h", to: "/overview", label: "Overview" },
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
      { key: "d", to: "/apps", label: "Connected apps" },
      { key: "i", to: "/uploads", label: "Uploaded files" },
      { key: "l", to: "/audit", label: "Audit log" },
      { key: "o", to: "/settings", label: "Settings" },
    ],
  },
];
const adminPlaces = ["/failed", "/budgets", "/webhooks", "/members", "/credentials", "/egress", "/keys", "/audit"];
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
  const { isAdmin, isOperator } = account;
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
      <Navigation account={account} shown={shown} route={route}>
        <ErrorNote error={leave.error} />
        <button type="button" className="quiet" onClick={leave.run}>
          Sign out
        </button>
      </Navigation>
      <main id="main" ref={main} tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Shown route={route} />
        </Suspense>
      </main>
      <Shortcuts places={places} onSignOut={leave.run} />
    </div>
  );
}

interface NavigationProps {
  readonly account: Account;
  readonly shown: readonly Group[];
  readonly route: Route;
  /** What follows the pages. */
  readonly children: ReactNode;
}

/** In a narrow window, a button opens it. */
function Navigation({ account: { member, organization, release }, shown, route, children }: NavigationProps) {
  const { name } = organization;
  const [isMenuOpen, setMenuOpen] = useState(false);
  const place = route.path.join("/");
  useEffect(() => setMenuOpen(false), [place]);
  return (
    <nav aria-label="Pages" className={isMenuOpen ? "open" : undefined}>
      <span className="brand">Dari</span>
      <span className="organization" title={name}>
        {name}
      </span>
      <button
        type="button"
        className="menu"
        aria-expanded={isMenuOpen}
        onClick={() => setMenuOpen((wasOpen) => !wasOpen)}
      >
        Menu
      </button>
      {shown.map((group) => (
        <Places key={group.label} group={group} route={route} />
      ))}
      <span className="space" />
      {member && (
        <span className="faint clip" title={member.email}>
          {member.email}
        </span>
      )}
      <span className="faint">release {release ?? "unknown"}</span>
      {children}
    </nav>
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

function isIn({ path: [first = "overview"] }: Route, to: string): boolean {
  return to === `/${first === "messages" ? "sessions" : first}`;
}

/** Returns the page of a route. Its key resets the page's state when the route shows another object. */
function Shown({ route }: { readonly route: Route }) {
  const [first = "overview", id, , under] = route.path;
  const noun = first === "sign-in" ? "overview" : first;
  if (noun === "overview") return <OverviewPage query={route.query} />;
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
  if (noun === "apps") return <AppsPage />;
  if (noun === "authorize") return <AuthorizePage query={route.query} />;
  if (noun === "failed") return <FailedPage query={route.query} />;
  if (noun === "usage") return <UsagePage />;
  if (noun === "uploads") return <UploadsPage />;
  if (noun === "audit") return <AuditPage />;
  if (noun === "settings") return <SettingsPage />;
  if (noun === "device") return <DevicePage query={route.query} />;
  if (noun === "members") return <MembersPage />;
  if (noun === "budgets") return <BudgetsPage />;
  if (noun === "webhooks") return id === undefined ? <WebhooksPage /> : <EndpointPage key={id} endpointId={id} />;
  if (noun === "fleet") return <FleetPage />;
  return (
    <Page title="Not found">
      <Empty title="There is no such page">Press ? for a list of shortcuts to pages.</Empty>
    </Page>
  );
}
