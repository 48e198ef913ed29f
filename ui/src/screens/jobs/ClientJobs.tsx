import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleStop, Terminal } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import { useCan } from "../../api/me";
import type { Client } from "../../api/schema";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Failed, Loading, Notice, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { OrderForm } from "./OrderForm";
import { JobStatus, Output } from "./Output";
import { useWatch } from "./watch";

const PAGE = 30;
const FIELDS = ["jid", "status", "started_at", "finished_at", "command", "created_by", "is_script"];

/** Runs something on one client, and shows what ran there before. */
export function ClientJobs({ client }: { client: Client }) {
  const can = useCan();
  const id = client.id ?? "";
  const queries = useQueryClient();
  const [running, setRunning] = useState<string | null>(null);
  const { jobs } = useWatch(running);
  const isConnected = client.connection_state === "connected";
  const watched = jobs[0] ?? { id: running ?? "", clientId: id, clientName: client.name ?? "", pieces: [], length: 0 };
  const cancel = () =>
    call("POST /clients/{client_id}/commands/{job_id}/cancel", {
      path: { client_id: id, job_id: running ?? "" },
    }).catch(toast.bad);
  return (
    <div className="stack">
      {!isConnected && (
        <Notice kind="warn">
          <b>{t.clientGone}.</b> {t.clientGoneQueue}
        </Notice>
      )}
      {(can("commands") || can("scripts")) && (
        <section className="panel panel-body">
          <OrderForm
            onOrder={async ({ kind }, order) => {
              const path = { client_id: id };
              const answer =
                kind === "commands"
                  ? await call("POST /clients/{client_id}/commands", { path, body: order })
                  : await call("POST /clients/{client_id}/scripts", { path, body: order });
              setRunning(answer.data.jid);
              await queries.invalidateQueries({ queryKey: ["client-jobs", id] });
            }}
          />
        </section>
      )}
      {running && (
        <section className="panel panel-body stack tight">
          <Output watched={watched} hideClient />
          {!watched.job && (
            <div>
              <Button size="small" kind="quiet-danger" icon={<CircleStop />} onPress={() => void cancel()}>
                {t.cancelJob}
              </Button>
            </div>
          )}
        </section>
      )}
      <Past clientId={id} />
    </div>
  );
}

function Past({ clientId }: { clientId: string }) {
  const [shown, setShown] = useState<string | null>(null);
  const list = useInfiniteQuery({
    queryKey: ["client-jobs", clientId],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      call("GET /clients/{client_id}/commands", {
        path: { client_id: clientId },
        query: listParams({
          fields: { resource: "jobs", names: FIELDS },
          sort: "-started_at",
          limit: PAGE,
          offset: pageParam,
        }),
      }),
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
        <Loading lines={3} />
      ) : items.length === 0 ? (
        <State icon={<Terminal className="mark" aria-hidden />} title={t.noJobs} />
      ) : (
        <div className="table-wrap">
          <table className="table cards">
            <thead>
              <tr>
                <th>{t.command}</th>
                <th>{t.state}</th>
                <th>{t.who}</th>
                <th>{t.when}</th>
                <th>
                  <span className="hidden-visually">{t.details}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((job) => (
                <tr key={job.jid}>
                  <td>
                    <code className="one-line">{(job.command ?? "").split("\n")[0]?.slice(0, 120)}</code>
                  </td>
                  <td data-label={t.state}>
                    <JobStatus status={job.status} />
                  </td>
                  <td data-label={t.who}>{job.created_by}</td>
                  <td data-label={t.when}>
                    <Time at={job.started_at} />
                  </td>
                  <td className="actions">
                    <Button kind="quiet" size="small" onPress={() => setShown(job.jid ?? null)}>
                      {t.details}
                    </Button>
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
      {shown && <JobDialog clientId={clientId} jobId={shown} onClose={() => setShown(null)} />}
    </section>
  );
}

function JobDialog({ clientId, jobId, onClose }: { clientId: string; jobId: string; onClose: () => void }) {
  const { data, error } = useQuery({
    queryKey: ["client-jobs", clientId, jobId],
    queryFn: async () =>
      (await call("GET /clients/{client_id}/commands/{job_id}", { path: { client_id: clientId, job_id: jobId } })).data,
  });
  const { jobs } = useWatch(jobId);
  return (
    <Dialog title={data?.is_script ? t.script : t.command} wide onClose={onClose}>
      {error ? (
        <Failed error={error} />
      ) : !data ? (
        <Loading lines={4} />
      ) : (
        <>
          <pre className="output">{data.command}</pre>
          <dl className="facts">
            <dt>{t.who}</dt>
            <dd>{data.created_by}</dd>
            <dt>{t.started}</dt>
            <dd>
              <Time at={data.started_at} exact />
            </dd>
            <dt>{t.finished}</dt>
            <dd>
              <Time at={data.finished_at} exact />
            </dd>
          </dl>
          {jobs.map((watched) => (
            <Output key={watched.id} watched={watched} hideClient />
          ))}
        </>
      )}
    </Dialog>
  );
}
