import type { QueryClient } from "@tanstack/react-query";
import { events } from "./events";

/** How long changes are gathered before what is shown is asked for again: a storm of events is one request. */
const GATHER_MS = 400;

/** Keeps what is on screen true: events name what changed, and the queries that show it are asked again. */
export function keepFresh(queries: QueryClient): () => void {
  const stale = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    const names = [...stale];
    stale.clear();
    for (const name of names) {
      void queries.invalidateQueries({ queryKey: JSON.parse(name) as unknown[] });
    }
  };
  const mark = (...keys: unknown[][]) => {
    for (const key of keys) stale.add(JSON.stringify(key));
    timer ??= setTimeout(flush, GATHER_MS);
  };

  const end = events.listen((event) => {
    if (event.type === "missed") {
      void queries.invalidateQueries();
      return;
    }
    const client = event.client_id ?? "";
    if (event.type.startsWith("tunnel_")) mark(["tunnels"], ["client", client]);
    else if (event.type.startsWith("client_"))
      mark(["clients"], ["client", client], ["status"], ["tunnels"], ["client-groups"]);
    else if (event.type.startsWith("job_")) mark(["jobs"], ["client-jobs", client], ["schedules"]);
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}
