import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Terminal } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import { Button } from "../../kit/button";
import { Failed, Loading, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { draftOf, fetchEntry } from "../library/entries";
import { Counts } from "./Counts";
import { OrderForm } from "./OrderForm";
import type { Draft } from "./order";
import { PaceFields } from "./PaceFields";
import { ALL_AT_ONCE, paceBody } from "./pace";
import { TargetPicker } from "./Targets";
import { hasTargets, type Targets, targetsBody, targetsOf } from "./targets";

const PAGE = 30;
/** What the address asks for: who to run on, and what to take from the library. */
interface Given {
  clients?: unknown;
  groups?: unknown;
  library?: unknown;
  kind?: unknown;
}

const split = (given: unknown) => (given === undefined ? [] : String(given).split(","));

/** Runs something on many clients, and shows what ran before. */
export function Commands() {
  const given = useSearch({ strict: false }) as Given;
  const id = given.library === undefined ? "" : String(given.library);
  const kind = given.kind === "scripts" ? "scripts" : "commands";
  const entry = useQuery({
    queryKey: ["library", "entry", kind, id],
    queryFn: () => fetchEntry(kind, id),
    enabled: id !== "",
    // What somebody has changed in the form is not taken away by a later answer.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.commands}</h1>
        {entry.data && <span className="badge accent">{entry.data.name}</span>}
      </header>
      <section className="panel panel-body">
        {id === "" || entry.data ? (
          <RunForm
            key={id}
            initial={entry.data && draftOf(entry.data)}
            clients={split(given.clients)}
            groups={split(given.groups)}
          />
        ) : entry.error ? (
          <Failed error={entry.error} />
        ) : (
          <Loading />
        )}
      </section>
      <Past />
    </div>
  );
}

interface RunProps {
  initial: Draft | undefined;
  clients: readonly string[];
  groups: readonly string[];
}

function RunForm({ initial, clients, groups }: RunProps) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [targets, setTargets] = useState<Targets>(() =>
    targetsOf({ client_ids: [...clients], group_ids: [...groups] }),
  );
  const [pace, setPace] = useState(ALL_AT_ONCE);
  return (
    <OrderForm
      ready={hasTargets(targets)}
      initial={initial}
      onOrder={async ({ kind }, order) => {
        const body = { ...order, ...targetsBody(targets), ...paceBody(pace) };
        const answer =
          kind === "commands" ? await call("POST /commands", { body }) : await call("POST /scripts", { body });
        await queries.invalidateQueries({ queryKey: ["jobs"] });
        await navigate({ to: "/commands/$jobId", params: { jobId: answer.data.jid } });
      }}
    >
      <TargetPicker targets={targets} onChange={setTargets} />
      <PaceFields pace={pace} onChange={setPace} />
    </OrderForm>
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
