import { useQuery } from "@tanstack/react-query";
import { Cable } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { SearchField } from "../../kit/field";
import { Failed, Loading, State } from "../../kit/states";
import { t } from "../../texts/en";
import { clientNames } from "../clients/names";
import { TunnelItem } from "./TunnelItem";

export function Tunnels() {
  const [search, setSearch] = useState("");
  const { data, error, refetch } = useQuery({
    queryKey: ["tunnels"],
    queryFn: async () => {
      const { data: tunnels } = await call("GET /tunnels");
      const names = await clientNames([...new Set(tunnels.map((tunnel) => tunnel.client_id))]);
      return tunnels
        .map((tunnel) => ({ tunnel, name: names[tunnel.client_id] || tunnel.client_id }))
        .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    },
  });
  const text = search.trim().toLowerCase();
  const shown = data?.filter(({ tunnel, name }) =>
    [name, tunnel.name, tunnel.scheme, tunnel.lport, tunnel.rhost, tunnel.rport, tunnel.owner]
      .join(" ")
      .toLowerCase()
      .includes(text),
  );
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.tunnels}</h1>
        {data && <span className="count">{data.length}</span>}
      </header>
      {data && data.length > 0 && (
        <div className="toolbar">
          <SearchField label={t.searchTunnels} value={search} onChange={setSearch} />
        </div>
      )}
      <section className="panel">
        {error ? (
          <Failed error={error} retry={() => void refetch()} />
        ) : !shown ? (
          <Loading />
        ) : shown.length === 0 ? (
          <State icon={<Cable className="mark" aria-hidden />} title={t.noTunnels}>
            {t.noTunnelsAll}
          </State>
        ) : (
          <ul>
            {shown.map(({ tunnel, name }) => (
              <TunnelItem
                key={`${tunnel.client_id}/${tunnel.id}`}
                tunnel={tunnel}
                clientId={tunnel.client_id}
                clientName={name}
              />
            ))}
          </ul>
        )}
      </section>
    </div>
  );
}
