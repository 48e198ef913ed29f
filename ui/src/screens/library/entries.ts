import { call } from "../../api/client";
import { containing, listParams } from "../../api/list";
import type { LibraryCommand, LibraryScript } from "../../api/schema";
import { type Draft, emptyDraft, type Kind } from "../jobs/order";
import { clear } from "../jobs/text";

/** An entry of either kind. */
export interface Entry {
  kind: Kind;
  id: string;
  name: string;
  text: string;
  interpreter: string;
  cwd: string;
  isSudo: boolean;
  tags: string[];
  timeout: number;
  updatedAt: string | null;
}

const MOST = 100;

function entry(kind: Kind, item: LibraryCommand & LibraryScript): Entry {
  return {
    kind,
    id: item.id ?? "",
    name: item.name ?? "",
    text: kind === "commands" ? (item.cmd ?? "") : clear(item.script ?? ""),
    interpreter: item.interpreter ?? "",
    cwd: item.cwd ?? "",
    isSudo: item.is_sudo ?? false,
    tags: item.tags ?? [],
    timeout: item.timeout_sec ?? 60,
    updatedAt: item.updated_at ?? null,
  };
}

export async function fetchEntries(kind: Kind, search: string): Promise<Entry[]> {
  const query = listParams({ filter: { name: containing(search) }, sort: "name", limit: MOST });
  const { data } =
    kind === "commands"
      ? await call("GET /library/commands", { query })
      : await call("GET /library/scripts", { query });
  return data.map((item) => entry(kind, item));
}

export async function fetchEntry(kind: Kind, id: string): Promise<Entry> {
  const { data } =
    kind === "commands"
      ? await call("GET /library/commands/{command_id}", { path: { command_id: id } })
      : await call("GET /library/scripts/{script_id}", { path: { script_id: id } });
  return entry(kind, data);
}

/** An order of what an entry holds. */
export function draftOf(from: Entry): Draft {
  return {
    ...emptyDraft(from.kind),
    text: from.text,
    interpreter: from.interpreter,
    cwd: from.cwd,
    isSudo: from.isSudo,
    timeout: String(from.timeout > 0 ? from.timeout : 60),
  };
}
