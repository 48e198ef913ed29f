import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Client } from "../../api/schema";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";

export interface Column {
  id: string;
  name: string;
  /** Width as a grid track. */
  width: string;
  /** Name the server sorts by. */
  sort?: string;
  show: (client: Client) => ReactNode;
}

export function ClientDot({ client }: { client: Client }) {
  const isConnected = client.connection_state === "connected";
  return (
    <span
      className={isConnected ? "dot ok" : "dot hollow"}
      role="img"
      aria-label={isConnected ? t.connected : t.disconnected}
      title={isConnected ? t.connected : t.disconnected}
    />
  );
}

export function Tags({ values }: { values: readonly string[] | null | undefined }) {
  if (!values || values.length === 0) return <span className="muted">–</span>;
  return (
    <span className="tags" title={values.join(", ")}>
      {values.map((value) => (
        <span className="tag" key={value}>
          <span>{value}</span>
        </span>
      ))}
    </span>
  );
}

const text = (value: string | null | undefined) =>
  value ? <span title={value}>{value}</span> : <span className="muted">–</span>;

/** All columns there are; the name is always shown. */
export const COLUMNS: readonly Column[] = [
  {
    id: "name",
    name: t.name,
    width: "minmax(190px, 1.7fr)",
    sort: "name",
    show: (client) => (
      <span className="row">
        <ClientDot client={client} />
        <Link to="/clients/$clientId" params={{ clientId: client.id ?? "" }} className="name clip">
          {client.name || client.id}
        </Link>
      </span>
    ),
  },
  { id: "host", name: t.host, width: "minmax(120px, 1fr)", sort: "hostname", show: (client) => text(client.hostname) },
  {
    id: "os",
    name: t.os,
    width: "minmax(140px, 1.2fr)",
    sort: "os",
    show: (client) => text(client.os_full_name || client.os),
  },
  { id: "address", name: t.address, width: "minmax(120px, 0.8fr)", show: (client) => text(client.address) },
  { id: "ipv4", name: t.localAddresses, width: "minmax(130px, 1fr)", show: (client) => text(client.ipv4?.join(", ")) },
  { id: "tags", name: t.tags, width: "minmax(140px, 1.3fr)", show: (client) => <Tags values={client.tags} /> },
  { id: "groups", name: t.groups, width: "minmax(120px, 1fr)", show: (client) => <Tags values={client.groups} /> },
  {
    id: "version",
    name: t.agentVersion,
    width: "minmax(80px, 0.5fr)",
    sort: "version",
    show: (client) => text(client.version),
  },
  {
    id: "seen",
    name: t.lastSeen,
    width: "minmax(120px, 0.8fr)",
    show: (client) =>
      client.connection_state === "connected" ? (
        <span className="row">{t.connected}</span>
      ) : (
        <Time at={client.disconnected_at ?? client.last_heartbeat_at} />
      ),
  },
  {
    id: "id",
    name: t.id,
    width: "minmax(140px, 1fr)",
    sort: "id",
    show: (client) => <code className="small">{client.id}</code>,
  },
  { id: "auth", name: t.credentialsId, width: "minmax(110px, 0.8fr)", show: (client) => text(client.client_auth_id) },
  {
    id: "virtual",
    name: t.virtualization,
    width: "minmax(110px, 0.7fr)",
    show: (client) => text(client.os_virtualization_system),
  },
  { id: "timezone", name: t.timezone, width: "minmax(130px, 0.8fr)", show: (client) => text(client.timezone) },
];

export const DEFAULT_COLUMNS = ["name", "host", "os", "address", "tags", "version", "seen"];
