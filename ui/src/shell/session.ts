import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { call, callWith } from "../api/client";
import { session } from "../api/session";

/** Seconds a login lives without use. */
export const LIFETIME = 3600;
/** How often a session in use gets a fresh token. */
const REFRESH_MS = 10 * 60_000;

export function useSession() {
  return useSyncExternalStore(session.subscribe, session.get);
}

/** Ends the session here and at the server. */
export async function signOut(): Promise<void> {
  const { token } = session.get();
  session.end();
  // The page forgets the token whatever the server says.
  if (token) await callWith(token, "DELETE /logout").catch(() => undefined);
}

/** Keeps the session alive while somebody works with the page, and lets it run out when nobody does. */
export function useKeptAlive(): void {
  const queries = useQueryClient();
  useEffect(() => {
    let used = false;
    const use = () => {
      used = true;
    };
    const timer = setInterval(() => {
      const { token, expired } = session.get();
      if (!used || !token || expired) return;
      used = false;
      call("POST /me/session/refresh", { query: { "token-lifetime": LIFETIME } })
        .then(({ data }) => session.start(data.token))
        .catch(() => undefined);
    }, REFRESH_MS);
    document.addEventListener("pointerdown", use, { passive: true });
    document.addEventListener("keydown", use, { passive: true });
    const end = session.subscribe(() => {
      // Nobody sees what the one before has loaded.
      if (session.get().token === null) queries.clear();
    });
    return () => {
      clearInterval(timer);
      document.removeEventListener("pointerdown", use);
      document.removeEventListener("keydown", use);
      end();
    };
  }, [queries]);
}
