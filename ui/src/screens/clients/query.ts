import { call } from "../../api/client";
import { containing, type ListQuery, listParams } from "../../api/list";
import type { Client } from "../../api/schema";

/** What the list of clients is narrowed down to; the same words stand in the page's address. */
export interface ClientFilter {
  q?: string;
  state?: string;
  os?: string;
  tag?: string;
  group?: string;
  version?: string;
  sort?: string;
}

/** Rows asked for at once. Whoever scrolls sees three of these at most. */
export const PAGE = 100;
const MOST = 500;

const SEARCHED = "name|hostname|id|address|ipv4|ipv6|tags|labels|os_full_name";

export const FIELDS = [
  "id",
  "name",
  "hostname",
  "os",
  "os_kernel",
  "os_full_name",
  "address",
  "ipv4",
  "tags",
  "groups",
  "version",
  "connection_state",
  "last_heartbeat_at",
  "disconnected_at",
  "client_auth_id",
  "os_virtualization_system",
  "timezone",
] as const;

export function listQuery(filter: ClientFilter): ListQuery {
  return {
    filter: {
      [SEARCHED]: containing(filter.q ?? ""),
      connection_state: filter.state,
      os_kernel: filter.os,
      tags: filter.tag,
      groups: filter.group,
      version: filter.version,
    },
    sort: filter.sort ?? "name",
  };
}

export async function fetchPage(filter: ClientFilter, page: number, signal: AbortSignal) {
  const params = listParams({
    ...listQuery(filter),
    fields: { resource: "clients", names: FIELDS },
    limit: PAGE,
    offset: page * PAGE,
  });
  return call("GET /clients", { query: params, signal });
}

/** Every client that matches, with few members: for "select all" and exports. */
export async function fetchAll(filter: ClientFilter, names: readonly string[]): Promise<Client[]> {
  const all: Client[] = [];
  for (;;) {
    const params = listParams({
      ...listQuery(filter),
      fields: { resource: "clients", names },
      limit: MOST,
      offset: all.length,
    });
    const { data, meta } = await call("GET /clients", { query: params });
    all.push(...data);
    if (data.length === 0 || all.length >= meta.count) return all;
  }
}

export function isFiltered(filter: ClientFilter): boolean {
  return Object.entries(filter).some(([name, value]) => name !== "sort" && value !== undefined && value !== "");
}

/** One cell of comma-separated values. Programs take a cell that begins like this for a formula. */
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
