import { useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { api } from "../../api/base";
import { call } from "../../api/client";
import { useCan, useStatus } from "../../api/me";
import { Copyable } from "../../kit/copy";
import { Failed, Loading } from "../../kit/states";
import { t } from "../../texts/en";
import { Facts } from "../client/Overview";

function Tile({ value, name }: { value: number | string; name: string }) {
  return (
    <div className="panel tile">
      <div className="value">{typeof value === "number" ? value.toLocaleString("en") : value}</div>
      <div className="name">{name}</div>
    </div>
  );
}

export function Status() {
  const { data: status, error, refetch } = useStatus();
  const can = useCan();
  const tunnels = useQuery({
    queryKey: ["tunnels", "count"],
    queryFn: async () => (await call("GET /tunnels")).data.length,
    enabled: can("tunnels"),
  });
  if (error)
    return (
      <div className="page">
        <Failed error={error} retry={() => void refetch()} />
      </div>
    );
  if (!status)
    return (
      <div className="page">
        <Loading lines={8} />
      </div>
    );
  const urls = [status.connect_url].flat().filter(Boolean);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.status}</h1>
        <span className="badge">{status.version}</span>
        <div className="actions">
          <a className="button" href={new URL("docs/", api).href} target="_blank" rel="noreferrer noopener">
            <ExternalLink aria-hidden />
            {t.apiDocs}
          </a>
        </div>
      </header>
      <div className="tiles">
        <Tile value={status.clients_connected} name={`${t.clients} ${t.clientsConnected}`} />
        <Tile value={status.clients_disconnected} name={`${t.clients} ${t.clientsDisconnected}`} />
        {tunnels.data !== undefined && <Tile value={tunnels.data} name={t.tunnelsOpen} />}
      </div>
      <div className="grid">
        <Facts
          title={t.agent}
          facts={[
            [t.addressesForAgents, urls.length > 0 && urls.map((url) => <Copyable key={url} text={url} />)],
            [t.fingerprint, <Copyable key="print" text={status.fingerprint} />],
            [
              t.agentsLogin,
              `${status.clients_auth_source}, ${status.clients_auth_mode === "Read Write" ? t.readWrite : t.readOnly}`,
            ],
          ]}
        />
        <Facts
          title={t.access}
          facts={[
            [t.usersLogin, status.users_auth_source],
            [t.secondFactorBy, status.two_fa_enabled ? status.two_fa_delivery_method.replaceAll("_", " ") : t.off],
            [t.permissions, status.group_permissions_enabled ? t.on : t.off],
            [t.auditLog, status.auditlog.enabled ? t.kept(status.auditlog.rotation) : t.off],
          ]}
        />
        <Facts
          title={t.tunnels}
          facts={[
            [t.tunnelHost, status.tunnel_host],
            [t.portsForTunnels, status.used_ports?.join(", ")],
            [t.portsExcluded, status.excluded_ports?.join(", ")],
            [t.httpsTunnels, status.tunnel_proxy_enabled ? t.on : t.off],
          ]}
        />
      </div>
    </div>
  );
}
