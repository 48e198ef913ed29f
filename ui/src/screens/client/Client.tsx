import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, Monitor, Server, Trash2 } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { useCan } from "../../api/me";
import type { Client as ClientRecord } from "../../api/schema";
import { Confirm } from "../../kit/confirm";
import { Copyable } from "../../kit/copy";
import { MoreMenu } from "../../kit/menu";
import { Failed, Loading } from "../../kit/states";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { ClientJobs } from "../jobs/ClientJobs";
import { ClientTunnels } from "../tunnels/ClientTunnels";
import { Attributes } from "./Attributes";
import { History } from "./History";
import { Overview } from "./Overview";

const TABS = ["overview", "tunnels", "commands", "attributes", "history"] as const;
type Tab = (typeof TABS)[number];

export function useClient(id: string) {
  return useQuery({
    queryKey: ["client", id],
    queryFn: async () => (await call("GET /clients/{client_id}", { path: { client_id: id } })).data,
  });
}

export function Client() {
  const params = useParams({ strict: false });
  const id = params.clientId ?? "";
  const tab: Tab = TABS.find((one) => one === params.tab) ?? "overview";
  const { data: client, error, refetch } = useClient(id);
  const can = useCan();

  if (error) {
    return (
      <div className="page">
        <BackLink />
        <div className="panel">
          <Failed error={error} retry={() => void refetch()} />
        </div>
      </div>
    );
  }
  const names: Record<Tab, string> = {
    overview: t.tabOverview,
    tunnels: t.tabTunnels,
    commands: t.tabCommands,
    attributes: t.tabAttributes,
    history: t.tabHistory,
  };
  const shown = TABS.filter(
    (one) =>
      (one !== "tunnels" || can("tunnels")) &&
      (one !== "commands" || can("commands") || can("scripts")) &&
      (one !== "history" || can("auditlog")),
  );
  return (
    <div className="page">
      <BackLink />
      {client ? <Head client={client} /> : <div className="skeleton" style={{ width: 260, height: 30 }} />}
      <nav className="tab-list" aria-label={client?.name ?? id}>
        {shown.map((one) => (
          <Link
            key={one}
            to={one === "overview" ? "/clients/$clientId" : "/clients/$clientId/$tab"}
            params={one === "overview" ? { clientId: id } : { clientId: id, tab: one }}
            className="tab"
            activeOptions={{ exact: true }}
            {...(one === tab ? { "aria-current": "page" } : {})}
          >
            {names[one]}
            {one === "tunnels" && client?.tunnels && client.tunnels.length > 0 && (
              <span className="badge accent">{client.tunnels.length}</span>
            )}
          </Link>
        ))}
      </nav>
      {client ? <Body tab={tab} client={client} /> : <Loading lines={8} />}
    </div>
  );
}

function Body({ tab, client }: { tab: Tab; client: ClientRecord }) {
  switch (tab) {
    case "overview":
      return <Overview client={client} />;
    case "tunnels":
      return <ClientTunnels client={client} />;
    case "commands":
      return <ClientJobs client={client} />;
    case "attributes":
      return <Attributes client={client} />;
    case "history":
      return <History clientId={client.id ?? ""} />;
  }
}

function BackLink() {
  return (
    <Link to="/clients" className="row small muted" style={{ marginBottom: -8 }}>
      <ArrowLeft className="icon-16" aria-hidden />
      {t.clients}
    </Link>
  );
}

function Head({ client }: { client: ClientRecord }) {
  const [deleting, setDeleting] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const id = client.id ?? "";
  const isConnected = client.connection_state === "connected";
  const Icon = client.os_virtualization_role === "guest" ? Server : Monitor;
  return (
    <header className="client-head">
      <div className={isConnected ? "client-mark" : "client-mark off"}>
        <Icon aria-hidden />
      </div>
      <div className="grow stack tight">
        <div className="row wrap">
          <h1 className="break">{client.name || id}</h1>
          {isConnected ? (
            <span className="badge ok">
              <span className="dot ok" aria-hidden /> {t.connected}
            </span>
          ) : (
            <span className="badge">
              {t.disconnectedSince} <Time at={client.disconnected_at} />
            </span>
          )}
          {client.updates_status?.reboot_pending && <span className="badge warn">{t.rebootPending}</span>}
        </div>
        <div className="row wrap muted small">
          <span>{client.os_full_name}</span>
          <span aria-hidden>·</span>
          <Copyable text={client.address ?? ""} />
          <span aria-hidden>·</span>
          <span className="row">
            {t.id} <Copyable text={id} />
          </span>
        </div>
      </div>
      <MoreMenu
        entries={[
          {
            id: "delete",
            name: `${t.deleteClient}…`,
            icon: <Trash2 />,
            danger: true,
            disabled: isConnected,
            onAction: () => setDeleting(true),
          },
        ]}
      />
      {deleting && (
        <Confirm
          title={t.deleteClient}
          name={client.name || id}
          warning={t.deleteClientDetail}
          action={t.delete}
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call("DELETE /clients/{client_id}", { path: { client_id: id } });
            void queries.invalidateQueries({ queryKey: ["clients"] });
            toast.ok(t.clientDeleted);
            await navigate({ to: "/clients" });
          }}
        />
      )}
    </header>
  );
}
