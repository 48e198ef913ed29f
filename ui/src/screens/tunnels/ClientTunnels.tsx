import { Cable, Globe, GlobeLock, Monitor, Plus, ScreenShare, Terminal } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button as AriaButton } from "react-aria-components";
import type { Client } from "../../api/schema";
import { Notice, State } from "../../kit/states";
import { t } from "../../texts/en";
import { PRESETS, type Preset } from "./model";
import { OpenTunnel } from "./OpenTunnel";
import { TunnelItem } from "./TunnelItem";

const OFFERED: { name: string; icon: ReactNode; preset: Preset | null }[] = [
  { name: t.presetSsh, icon: <Terminal aria-hidden />, preset: PRESETS.ssh },
  { name: t.presetRdp, icon: <Monitor aria-hidden />, preset: PRESETS.rdp },
  { name: t.presetVnc, icon: <ScreenShare aria-hidden />, preset: PRESETS.vnc },
  { name: t.presetHttp, icon: <Globe aria-hidden />, preset: PRESETS.http },
  { name: t.presetHttps, icon: <GlobeLock aria-hidden />, preset: PRESETS.https },
  { name: t.presetCustom, icon: <Plus aria-hidden />, preset: null },
];

export function ClientTunnels({ client }: { client: Client }) {
  const [asked, setAsked] = useState<{ preset: Preset | null } | null>(null);
  const isConnected = client.connection_state === "connected";
  const tunnels = isConnected ? (client.tunnels ?? []) : [];
  return (
    <div className="stack">
      {!isConnected && (
        <Notice kind="warn">
          <b>{t.clientGone}.</b> {t.clientGoneDetail}
        </Notice>
      )}
      <div className="presets">
        {OFFERED.map(({ name, icon, preset }) => (
          <AriaButton key={name} className="preset" isDisabled={!isConnected} onPress={() => setAsked({ preset })}>
            {icon}
            <b>{name}</b>
            <span>{preset ? `${preset.scheme.toUpperCase()}, ${t.port(preset.port)}` : t.presetCustomDetail}</span>
          </AriaButton>
        ))}
      </div>
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
      {asked && <OpenTunnel client={client} preset={asked.preset} onClose={() => setAsked(null)} />}
    </div>
  );
}
