import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ScrollText } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { ApiError } from "../../api/errors";
import { listParams } from "../../api/list";
import type { AuditItem } from "../../api/schema";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Failed, Loading, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";

const PAGE = 50;

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Entries of the audit log, newest first. */
export function AuditTable({
  filter,
  hideClient = false,
}: {
  filter: Record<string, string | undefined>;
  hideClient?: boolean;
}) {
  const [shown, setShown] = useState<AuditItem | null>(null);
  const list = useInfiniteQuery({
    queryKey: ["audit", filter],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      call("GET /auditlog", { query: listParams({ filter, sort: "-timestamp", limit: PAGE, offset: pageParam }) }),
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.data.length, 0);
      return loaded < last.meta.count ? loaded : undefined;
    },
    staleTime: 0,
  });
  if (list.error instanceof ApiError && list.error.status === 404) {
    return (
      <State icon={<ScrollText className="mark" aria-hidden />} title={t.auditOff}>
        {t.auditOffDetail}
      </State>
    );
  }
  if (list.error) return <Failed error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Loading lines={8} />;
  const items = list.data.pages.flatMap((page) => page.data);
  if (items.length === 0) return <State icon={<ScrollText className="mark" aria-hidden />} title={t.noEntries} />;
  return (
    <>
      <div className="table-wrap">
        <table className="table cards">
          <thead>
            <tr>
              <th>{t.what}</th>
              <th>{t.who}</th>
              {!hideClient && <th>{t.where}</th>}
              <th>{t.from}</th>
              <th>{t.when}</th>
              <th>
                <span className="hidden-visually">{t.details}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((item, index) => (
              <tr key={`${item.timestamp}-${index}`}>
                <td>
                  <span className="row wrap">
                    <span className="badge accent">{item.application}</span>
                    <span className="name">{item.action}</span>
                    {item.affected_id && <span className="muted small break">{item.affected_id.slice(0, 80)}</span>}
                  </span>
                </td>
                <td data-label={t.who} className="break">
                  {item.username || <span className="muted">–</span>}
                </td>
                {!hideClient && (
                  <td data-label={t.where} className="break">
                    {item.client_id ? (
                      <Link to="/clients/$clientId" params={{ clientId: item.client_id }}>
                        {item.client_hostname || item.client_id}
                      </Link>
                    ) : (
                      <span className="muted">–</span>
                    )}
                  </td>
                )}
                <td data-label={t.from} className="num">
                  {item.remote_ip || <span className="muted">–</span>}
                </td>
                <td data-label={t.when}>
                  <Time at={item.timestamp} />
                </td>
                <td className="actions">
                  <Button kind="quiet" size="small" onPress={() => setShown(item)}>
                    {t.details}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {list.hasNextPage && (
        <div className="panel-body row" style={{ justifyContent: "center" }}>
          <Button busy={list.isFetchingNextPage} onPress={() => void list.fetchNextPage()}>
            {t.loadMore}
          </Button>
        </div>
      )}
      {shown && (
        <Dialog title={`${shown.application}: ${shown.action}`} wide onClose={() => setShown(null)}>
          <dl className="facts">
            <dt>{t.when}</dt>
            <dd>
              <Time at={shown.timestamp} exact />
            </dd>
            <dt>{t.who}</dt>
            <dd>{shown.username || "–"}</dd>
            <dt>{t.from}</dt>
            <dd>{shown.remote_ip || "–"}</dd>
            <dt>{t.client}</dt>
            <dd>{shown.client_id || "–"}</dd>
            <dt>{t.id}</dt>
            <dd>{shown.affected_id || "–"}</dd>
          </dl>
          {shown.request && (
            <div className="stack tight">
              <h3>{t.request}</h3>
              <pre className="output">{pretty(shown.request)}</pre>
            </div>
          )}
          {shown.response && (
            <div className="stack tight">
              <h3>{t.response}</h3>
              <pre className="output">{pretty(shown.response)}</pre>
            </div>
          )}
        </Dialog>
      )}
    </>
  );
}
