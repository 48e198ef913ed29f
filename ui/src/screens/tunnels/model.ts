import type { StoredTunnel, StoredTunnelBody, Tunnel } from "../../api/schema";

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

/** Who may visit: the asker, some addresses, or everybody. */
export type Visitors = "me" | "listed" | "all";

/** What the definition has no members for. Other front ends keep other things there. */
interface FurtherOptions {
  visitors?: Visitors;
  protocol?: string;
  idle_timeout_minutes?: string;
  auto_close?: string;
  check_port?: boolean;
  http_proxy?: boolean;
}

const NEW: Wish = {
  host: "127.0.0.1",
  port: "",
  publicPort: "",
  protocol: "tcp",
  scheme: "",
  acl: "",
  idleMinutes: "5",
  autoClose: "",
  checkPort: true,
  front: false,
  user: "",
  password: "",
};

export function wishOf(preset: Preset | null): Wish {
  return { ...NEW, port: preset ? String(preset.port) : "", scheme: preset?.scheme ?? "" };
}

function furtherOptions(stored: StoredTunnel): FurtherOptions {
  const options = stored.further_options;
  const isObject = typeof options === "object" && options !== null && !Array.isArray(options);
  return isObject ? (options as FurtherOptions) : {};
}

/** What a kept tunnel asks for, and for whom. Passwords are not kept. */
export function wishOfStored(stored: StoredTunnel): { wish: Wish; visitors: Visitors } {
  const options = furtherOptions(stored);
  const given = options.visitors;
  const visitors = given === "me" || given === "all" || given === "listed" ? given : stored.acl ? "listed" : "me";
  return {
    visitors,
    wish: {
      ...NEW,
      host: stored.remote_ip || NEW.host,
      port: stored.remote_port ? String(stored.remote_port) : "",
      publicPort: stored.public_port ? String(stored.public_port) : "",
      scheme: stored.scheme ?? "",
      acl: stored.acl ?? "",
      protocol: String(options.protocol ?? NEW.protocol),
      idleMinutes: String(options.idle_timeout_minutes ?? NEW.idleMinutes),
      autoClose: String(options.auto_close ?? ""),
      checkPort: options.check_port !== false,
      front: options.http_proxy === true,
    },
  };
}

export function storedBody(name: string, wish: Wish, visitors: Visitors, before?: StoredTunnel): StoredTunnelBody {
  const options: FurtherOptions = {
    ...(before ? furtherOptions(before) : {}),
    visitors,
    protocol: wish.protocol,
    idle_timeout_minutes: wish.idleMinutes,
    auto_close: wish.autoClose,
    check_port: wish.checkPort,
    http_proxy: wish.front,
  };
  return {
    name: name.trim(),
    scheme: wish.scheme || null,
    remote_ip: wish.host || null,
    remote_port: Number(wish.port) || null,
    public_port: Number(wish.publicPort) || null,
    acl: visitors === "listed" ? wish.acl.replace(/\s+/g, "") : null,
    further_options: options,
  };
}
