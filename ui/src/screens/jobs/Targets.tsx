import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import { Checkbox, SearchField, Segments, TagField } from "../../kit/field";
import { t } from "../../texts/en";
import { ClientDot } from "../clients/columns";
import { clientNames } from "../clients/names";
import { listQuery } from "../clients/query";
import type { Targets } from "./targets";

const OFFERED = 8;

/** Chooses who something runs on. */
export function TargetPicker({ targets, onChange }: { targets: Targets; onChange: (targets: Targets) => void }) {
  const knownTags = useQuery({
    queryKey: ["client-tags"],
    queryFn: async () => (await call("GET /client-tags", { query: { "page[limit]": 500 } })).data,
  });
  const knownGroups = useQuery({
    queryKey: ["client-groups", "ids"],
    queryFn: async () => (await call("GET /client-groups", { query: { "page[limit]": 500 } })).data,
  });
  const set = (change: Partial<Targets>) => onChange({ ...targets, ...change });
  return (
    <>
      <div className="field">
        <span className="label">{t.runOn}</span>
        <Segments
          label={t.runOn}
          value={targets.by}
          choices={[
            { id: "clients", name: t.withCount(t.clients, targets.clients.size) },
            { id: "groups", name: t.withCount(t.groups, targets.groups.length) },
            { id: "tags", name: t.withCount(t.tags, targets.tags.length) },
          ]}
          onChange={(by) => set({ by })}
        />
        <span className="hint">{t.targetsAdd}</span>
      </div>
      {targets.by === "clients" && <ClientPicker clients={targets.clients} onChange={(clients) => set({ clients })} />}
      {targets.by === "groups" && (
        <TagField
          label={t.groups}
          values={targets.groups}
          onChange={(groups) => set({ groups })}
          suggestions={knownGroups.data?.map((group) => group.id ?? "") ?? []}
        />
      )}
      {targets.by === "tags" && (
        <>
          <TagField
            label={t.tags}
            values={targets.tags}
            onChange={(tags) => set({ tags })}
            suggestions={knownTags.data?.map((tag) => tag.tag ?? "") ?? []}
          />
          <Checkbox isSelected={targets.isAll} onChange={(isAll) => set({ isAll })}>
            {t.allTags}
          </Checkbox>
        </>
      )}
    </>
  );
}

interface ClientPickerProps {
  clients: ReadonlyMap<string, string>;
  onChange: (clients: ReadonlyMap<string, string>) => void;
}

function ClientPicker({ clients, onChange }: ClientPickerProps) {
  const [search, setSearch] = useState("");
  const text = useDeferredValue(search);
  const { data } = useQuery({
    queryKey: ["clients", "picker", text],
    queryFn: async () => {
      const fields = { resource: "clients", names: ["id", "name", "connection_state"] };
      return (await call("GET /clients", { query: listParams({ ...listQuery({ q: text }), fields, limit: OFFERED }) }))
        .data;
    },
    placeholderData: (before) => before,
  });
  // Chosen elsewhere, such as in a stored schedule, they come as ids.
  const nameless = [...clients].filter(([id, name]) => id === name).map(([id]) => id);
  const names = useQuery({
    queryKey: ["clients", "names", nameless],
    queryFn: () => clientNames(nameless),
    enabled: nameless.length > 0,
  });
  const toggle = (id: string, name: string) => {
    const next = new Map(clients);
    if (!next.delete(id)) next.set(id, name);
    onChange(next);
  };
  return (
    <div className="stack tight">
      {clients.size > 0 && (
        <div className="chips">
          {[...clients].map(([id, known]) => {
            const name = names.data?.[id] || known;
            return (
              <span className="chip" key={id}>
                <span>{name}</span>
                <button type="button" aria-label={t.removeNamed(name)} onClick={() => toggle(id, name)}>
                  <X aria-hidden />
                </button>
              </span>
            );
          })}
        </div>
      )}
      <SearchField label={t.searchClients} value={search} onChange={setSearch} />
      <ul className="picker">
        {data?.map((client) => (
          <li key={client.id}>
            <Checkbox
              isSelected={clients.has(client.id ?? "")}
              onChange={() => toggle(client.id ?? "", client.name || client.id || "")}
            >
              <span className="row">
                <ClientDot client={client} /> <span className="clip">{client.name || client.id}</span>
              </span>
            </Checkbox>
          </li>
        ))}
      </ul>
    </div>
  );
}
