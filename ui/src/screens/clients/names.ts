import { call } from "../../api/client";
import { listParams } from "../../api/list";

/** Names of clients are asked for in as few requests as the address line bears. */
const NAMES_AT_ONCE = 100;

/** Names by id. Clients that are gone, or may not be seen, are left out. */
export async function clientNames(ids: readonly string[]): Promise<Record<string, string>> {
  const names: Record<string, string> = {};
  for (let at = 0; at < ids.length; at += NAMES_AT_ONCE) {
    const part = ids.slice(at, at + NAMES_AT_ONCE).filter((id) => !/[,*]/.test(id));
    if (part.length === 0) continue;
    const query = listParams({
      filter: { id: part.join(",") },
      fields: { resource: "clients", names: ["id", "name"] },
      limit: NAMES_AT_ONCE,
    });
    const { data } = await call("GET /clients", { query });
    for (const client of data) names[client.id ?? ""] = client.name ?? "";
  }
  return names;
}
