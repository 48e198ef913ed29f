import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { ArrowLeft, CircleStop } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { Button } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { Failed, Loading } from "../../kit/states";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { Counts } from "./Counts";
import { Output } from "./Output";
import { useWatch, type Watched } from "./watch";

/** One order on many clients, live. */
export function MultiJob() {
  const { jobId = "" } = useParams({ strict: false });
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const { data: multi, error } = useQuery({
    queryKey: ["jobs", jobId],
    queryFn: async () => (await call("GET /commands/{job_id}", { path: { job_id: jobId } })).data,
  });
  const { jobs } = useWatch(jobId);
  if (error)
    return (
      <div className="page">
        <Failed error={error} />
      </div>
    );
  if (!multi)
    return (
      <div className="page">
        <Loading />
      </div>
    );
  const heard = new Map(jobs.map((watched) => [watched.id, watched]));
  const quiet: Watched[] = multi.jobs
    .filter((job) => !heard.has(job.jid))
    .map((job) => ({
      id: job.jid,
      clientId: job.client_id,
      clientName: job.client_name,
      pieces: [],
      length: 0,
      ...(job.finished_at ? { job } : {}),
    }));
  const shown = [...jobs, ...quiet].sort((a, b) =>
    a.clientName.localeCompare(b.clientName, undefined, { numeric: true }),
  );
  const isRunning = multi.counts.running + multi.counts.waiting > 0;
  return (
    <div className="page">
      <Link to="/commands" className="row small muted">
        <ArrowLeft className="icon-16" aria-hidden />
        {t.commands}
      </Link>
      <header className="page-head">
        <h1>{multi.is_script ? t.script : t.command}</h1>
        <Counts counts={multi.counts} />
        <span className="muted small">
          <Time at={multi.started_at} /> {t.openedBy(multi.created_by)}
        </span>
        <div className="actions">
          {isRunning && (
            <Button kind="danger" icon={<CircleStop />} onPress={() => setAsked(true)}>
              {t.cancelJob}
            </Button>
          )}
        </div>
      </header>
      <pre className="output">{multi.command}</pre>
      <div className="stack">
        {shown.map((watched) => (
          <div className="panel panel-body" key={watched.id}>
            <Output watched={watched} />
          </div>
        ))}
      </div>
      {asked && (
        <Confirm
          title={t.cancelJob}
          warning={t.cancelJobDetail}
          action={t.cancelJob}
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await call("POST /commands/{job_id}/cancel", { path: { job_id: jobId } });
            await queries.invalidateQueries({ queryKey: ["jobs"] });
          }}
        />
      )}
    </div>
  );
}
