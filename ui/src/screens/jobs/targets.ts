import type { JobTags } from "../../api/schema";

/** Who an order is for, as it is being chosen. */
export interface Targets {
  by: "clients" | "groups" | "tags";
  /** Names by id. */
  clients: ReadonlyMap<string, string>;
  groups: readonly string[];
  tags: readonly string[];
  /** Whether a client needs all of the tags. */
  isAll: boolean;
}

/** The same in the words of the API. */
export interface TargetsBody {
  client_ids?: string[] | null;
  group_ids?: string[] | null;
  tags?: JobTags | null;
}

export function noTargets(ids: readonly string[] = []): Targets {
  return { by: "clients", clients: new Map(ids.map((id) => [id, id])), groups: [], tags: [], isAll: true };
}

export function hasTargets(targets: Targets): boolean {
  return targets.by === "tags" ? targets.tags.length > 0 : targets.clients.size + targets.groups.length > 0;
}

/** Clients and groups add up; tags stand alone. */
export function targetsBody(targets: Targets): TargetsBody {
  if (targets.by === "tags") return { tags: { tags: [...targets.tags], operator: targets.isAll ? "AND" : "OR" } };
  return {
    ...(targets.clients.size > 0 ? { client_ids: [...targets.clients.keys()] } : {}),
    ...(targets.groups.length > 0 ? { group_ids: [...targets.groups] } : {}),
  };
}

export function targetsOf(body: TargetsBody): Targets {
  const clients = body.client_ids ?? [];
  const groups = body.group_ids ?? [];
  return {
    ...noTargets(clients),
    by: body.tags ? "tags" : clients.length === 0 && groups.length > 0 ? "groups" : "clients",
    groups,
    tags: body.tags?.tags ?? [],
    isAll: body.tags?.operator?.toUpperCase() === "AND",
  };
}
