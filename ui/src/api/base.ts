/**
 * Where the UI's root is. Built scripts lie in `assets/` right below it, so a proxy may put the whole server below any
 * path; nobody has to configure it.
 */
export const root: URL = import.meta.env.DEV ? new URL("/", location.href) : new URL("..", import.meta.url);

/** The API, below the same root. */
export const api: URL = new URL("api/v1/", root);

/** Path of the root without the slash at its end, as the router wants it. */
export const basePath: string = root.pathname.replace(/\/$/, "") || "/";

/** Address of a WebSocket of the API. */
export function socketUrl(path: string): string {
  const url = new URL(path.replace(/^\//, ""), api);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
