import type { Tunnel } from "../../api/schema";

export interface Preset {
  scheme: string;
  port: number;
  /** Whether the server can put HTTPS in front of it. */
  web: boolean;
}

export const PRESETS = {
  ssh: { scheme: "ssh", port: 22, web: false },
  rdp: { scheme: "rdp", port: 3389, web: false },
  vnc: { scheme: "vnc", port: 5900, web: false },
  http: { scheme: "http", port: 80, web: true },
  https: { scheme: "https", port: 443, web: true },
} satisfies Record<string, Preset>;

/** Listeners on these addresses are on all of the server's. */
const EVERYWHERE = ["", "0.0.0.0", "::"];

/** Host and port a visitor dials. */
export function reach(tunnel: Tunnel, tunnelHost: string): { host: string; port: string } {
  const host = EVERYWHERE.includes(tunnel.lhost) ? tunnelHost || location.hostname : tunnel.lhost;
  return { host: host.includes(":") && !host.startsWith("[") ? `[${host}]` : host, port: tunnel.lport };
}

/** What to type or open to use the tunnel. */
export function howTo(tunnel: Tunnel, tunnelHost: string): { command?: string; link?: string } {
  if (tunnel.tunnel_url) return { link: tunnel.tunnel_url };
  const { host, port } = reach(tunnel, tunnelHost);
  if (tunnel.http_proxy) return { link: `https://${host}:${port}/` };
  const bare = host.replace(/^\[|\]$/g, "");
  switch (tunnel.scheme) {
    case "ssh":
      return { command: `ssh -p ${port} USER@${bare}` };
    case "rdp":
      return { command: `mstsc /v:${host}:${port}` };
    case "vnc":
      return { command: `vncviewer ${host}::${port}` };
    case "http":
    case "https":
      return { link: `${tunnel.scheme}://${host}:${port}/` };
    default:
      return { command: `${host}:${port}` };
  }
}

const NANOSECONDS = 1_000_000_000;

/** When the tunnel ends in any case, in ms since 1970. */
export function endsAt(tunnel: Tunnel): number | null {
  if (!tunnel.auto_close) return null;
  return new Date(tunnel.created_at).getTime() + (tunnel.auto_close / NANOSECONDS) * 1000;
}

/** What the API is asked for. IPv6 hosts go into brackets. */
export interface Wish {
  host: string;
  port: string;
  publicPort: string;
  protocol: string;
  scheme: string;
  acl: string;
  idleMinutes: string;
  autoClose: string;
  checkPort: boolean;
  front: boolean;
  user: string;
  password: string;
}

export function wishParams(wish: Wish): URLSearchParams {
  const params = new URLSearchParams();
  const bracketed = wish.host.includes(":") && !wish.host.startsWith("[") ? `[${wish.host}]` : wish.host;
  params.set("remote", `${bracketed || "127.0.0.1"}:${wish.port}`);
  if (wish.publicPort) params.set("local", `0.0.0.0:${wish.publicPort}`);
  if (wish.protocol !== "tcp") params.set("protocol", wish.protocol);
  if (wish.scheme) params.set("scheme", wish.scheme);
  if (wish.acl) params.set("acl", wish.acl.replace(/\s+/g, ""));
  params.set("idle-timeout-minutes", wish.idleMinutes || "0");
  if (wish.autoClose) params.set("auto-close", wish.autoClose);
  if (!wish.checkPort) params.set("check_port", "0");
  if (wish.front) {
    params.set("http_proxy", "true");
    if (wish.user) params.set("auth_user", wish.user);
    if (wish.password) params.set("auth_password", wish.password);
  }
  return params;
}
