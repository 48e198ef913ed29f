import { Cable } from "lucide-react";
import type { Client } from "../../api/schema";
import { Notice, State } from "../../kit/states";
import { t } from "../../texts/en";
import { Presets } from "./Presets";
import { TunnelItem } from "./TunnelItem";

export function ClientTunnels({ client }: { client: Client }) {
  const isConnected = client.connection_state === "connected";
  const tunnels = isConnected ? (client.tunnels ?? []) : [];
  return (
    <div className="stack">
      {!isConnected && (
        <Notice kind="warn">
          <b>{t.clientGone}.</b> {t.clientGoneDetail}
        </Notice>
      )}
      <Presets client={client} isConnected={isConnected} />
      <section className="panel" aria-label={t.tunnels}>
        {tunnels.length === 0 ? (
          <State icon={<Cable className="mark" aria-hidden />} title={t.noTunnels}>
            {t.noTunnelsDetail}
          </State>
        ) : (
          <ul>
            {tunnels.map((tunnel) => (
              <TunnelItem key={tunnel.id} tunnel={tunnel} clientId={client.id ?? ""} />
            ))}
          </ul>
        )}
      </section>
    </div>
  );
}
