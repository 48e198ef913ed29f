import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Terminal, X } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import type { JobCounts } from "../../api/schema";
import { Button } from "../../kit/button";
import { Checkbox, SearchField, Segments, TagField } from "../../kit/field";
import { Failed, Loading, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { ClientDot } from "../clients/columns";
import { listQuery } from "../clients/query";
import { OrderForm } from "./OrderForm";

const PAGE = 30;
const OFFERED = 8;

type Target = "clients" | "groups" | "tags";

/** Runs something on many clients, and shows what ran before. */
export function Commands() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const given = (useSearch({ strict: false }) as { clients?: string }).clients;
  const [target, setTarget] = useState<Target>("clients");
  const [clients, setClients] = useState<ReadonlyMap<string, string>>(
    new Map((given ? given.split(",") : []).map((id) => [id, id])),
  );
  const [groups, setGroups] = useState<string[]>([]);
  const [tags, setTags] = useState<string[]>([]);
  const [isAll, setAll] = useState(true);
  const [concurrent, setConcurrent] = useState(true);
  const knownTags = useQuery({
    queryKey: ["client-tags"],
    queryFn: async () => (await call("GET /client-tags", { query: { "page[limit]": 500 } })).data,
  });
  const knownGroups = useQuery({
    queryKey: ["client-groups"],
    queryFn: async () => (await call("GET /client-groups", { query: { "page[limit]": 500 } })).data,
  });
  const chosen = { clients: clients.size, groups: groups.length, tags: tags.length }[target];
  const targets =
    target === "clients"
      ? { client_ids: [...clients.keys()] }
      : target === "groups"
        ? { group_ids: groups }
        : { tags: { tags, operator: isAll ? "AND" : "OR" } };

  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.commands}</h1>
      </header>
      <section className="panel panel-body">
        <OrderForm
          ready={chosen > 0}
          onOrder={async (kind, order) => {
            const body = { ...order, ...targets, execute_concurrently: concurrent, abort_on_error: !concurrent };
            const answer =
              kind === "commands" ? await call("POST /commands", { body }) : await call("POST /scripts", { body });
            await queries.invalidateQueries({ queryKey: ["jobs"] });
            await navigate({ to: "/commands/$jobId", params: { jobId: answer.data.jid } });
          }}
        >
          <div className="field">
            <span className="label">{t.runOn}</span>
            <div>
              <Segments
                label={t.runOn}
                value={target}
                choices={[
                  { id: "clients", name: t.clients },
                  { id: "groups", name: t.groups },
                  { id: "tags", name: t.tags },
                ]}
                onChange={setTarget}
              />
            </div>
          </div>
          {target === "clients" && <ClientPicker clients={clients} onChange={setClients} />}
          {target === "groups" && (
            <TagField
              label={t.groups}
              values={groups}
              onChange={setGroups}
              suggestions={knownGroups.data?.map((group) => group.id ?? "") ?? []}
            />
          )}
          {target === "tags" && (
            <>
              <TagField
                label={t.tags}
                values={tags}
                onChange={setTags}
                suggestions={knownTags.data?.map((tag) => tag.tag ?? "") ?? []}
              />
              <Checkbox isSelected={isAll} onChange={setAll}>
                {t.allTags}
              </Checkbox>
            </>
          )}
          <Checkbox isSelected={concurrent} onChange={setConcurrent}>
            {t.atOnce}
          </Checkbox>
        </OrderForm>
      </section>
      <Past />
    </div>
  );
}

function ClientPicker({
  clients,
  onChange,
}: {
  clients: ReadonlyMap<string, string>;
  onChange: (clients: ReadonlyMap<string, string>) => void;
}) {
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
  const toggle = (id: string, name: string) => {
    const next = new Map(clients);
    if (!next.delete(id)) next.set(id, name);
    onChange(next);
  };
  return (
    <div className="stack tight">
      {clients.size > 0 && (
        <div className="chips">
          {[...clients].map(([id, name]) => (
            <span className="chip" key={id}>
              <span>{name}</span>
              <button type="button" aria-label={t.removeNamed(name)} onClick={() => toggle(id, name)}>
                <X aria-hidden />
              </button>
            </span>
          ))}
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

export function Counts({ counts }: { counts: JobCounts }) {
  const running = counts.running + counts.waiting;
  return (
    <span className="tags">
      {running > 0 && <span className="badge accent">{t.countRunning(running)}</span>}
      {counts.successful > 0 && <span className="badge ok">{t.countSuccessful(counts.successful)}</span>}
      {counts.failed > 0 && <span className="badge bad">{t.countFailed(counts.failed)}</span>}
      {counts.unknown > 0 && <span className="badge warn">{t.countUnknown(counts.unknown)}</span>}
    </span>
  );
}

function Past() {
  const list = useInfiniteQuery({
    queryKey: ["jobs", "list"],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => call("GET /commands", { query: listParams({ limit: PAGE, offset: pageParam }) }),
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.data.length, 0);
      return loaded < last.meta.count ? loaded : undefined;
    },
  });
  const items = list.data?.pages.flatMap((page) => page.data);
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.pastJobs}</h2>
      </div>
      {list.error ? (
        <Failed error={list.error} />
      ) : !items ? (
        <Loading lines={4} />
      ) : items.length === 0 ? (
        <State icon={<Terminal className="mark" aria-hidden />} title={t.noJobs}>
          {t.noJobsDetail}
        </State>
      ) : (
        <div className="table-wrap">
          <table className="table cards">
            <thead>
              <tr>
                <th>{t.command}</th>
                <th>{t.result}</th>
                <th>{t.who}</th>
                <th>{t.when}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((job) => (
                <tr key={job.jid}>
                  <td>
                    <Link to="/commands/$jobId" params={{ jobId: job.jid }}>
                      <code className="one-line">{job.command.split("\n")[0]?.slice(0, 120)}</code>
                    </Link>
                  </td>
                  <td data-label={t.result}>
                    <Counts counts={job.counts} />
                  </td>
                  <td data-label={t.who}>{job.created_by}</td>
                  <td data-label={t.when}>
                    <Time at={job.started_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.hasNextPage && (
        <div className="panel-body row center">
          <Button busy={list.isFetchingNextPage} onPress={() => void list.fetchNextPage()}>
            {t.loadMore}
          </Button>
        </div>
      )}
    </section>
  );
}
