// The frame before it is known who is signed in. index.html has the same, for the time before scripts run.

import { Loading } from "./notes.tsx";

export function Starting() {
  return (
    <div className="frame">
      <nav aria-label="Pages">
        <span className="brand">Dari</span>
      </nav>
      <main>
        <Loading />
      </main>
    </div>
  );
}
