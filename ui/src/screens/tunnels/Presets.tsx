import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Bookmark, Cable, Globe, GlobeLock, Monitor, Plus, ScreenShare, Terminal, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button as AriaButton } from "react-aria-components";
import { call } from "../../api/client";
import type { Client, StoredTunnel } from "../../api/schema";
import { Confirm } from "../../kit/confirm";
import { MoreMenu } from "../../kit/menu";
import { FormError } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { PRESETS, type Preset } from "./model";
import { OpenTunnel } from "./OpenTunnel";

const OFFERED: { name: string; icon: ReactNode; preset: Preset | null }[] = [
  { name: t.presetSsh, icon: <Terminal aria-hidden />, preset: PRESETS.ssh },
  { name: t.presetRdp, icon: <Monitor aria-hidden />, preset: PRESETS.rdp },
  { name: t.presetVnc, icon: <ScreenShare aria-hidden />, preset: PRESETS.vnc },
  { name: t.presetHttp, icon: <Globe aria-hidden />, preset: PRESETS.http },
  { name: t.presetHttps, icon: <GlobeLock aria-hidden />, preset: PRESETS.https },
  { name: t.presetCustom, icon: <Plus aria-hidden />, preset: null },
];
/** The most that the API gives at once. */
const MOST = 100;

type Asked =
  | { kind: "new"; preset: Preset | null }
  | { kind: "stored"; stored: StoredTunnel }
  | { kind: "delete"; stored: StoredTunnel };

/** What tunnels can be opened with: what everybody needs, and what was kept for this client. */
export function Presets({ client, isConnected }: { client: Client; isConnected: boolean }) {
  const id = client.id ?? "";
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const { data: kept, error } = useQuery({
    queryKey: ["stored-tunnels", id],
    queryFn: async () =>
      (
        await call("GET /clients/{client_id}/stored-tunnels", {
          path: { client_id: id },
          query: { sort: "name", "page[limit]": MOST },
        })
      ).data,
  });
  return (
    <>
      <div className="presets">
        {OFFERED.map(({ name, icon, preset }) => (
          <AriaButton
            key={name}
            className="preset"
            isDisabled={!isConnected}
            onPress={() => setAsked({ kind: "new", preset })}
          >
            {icon}
            <b>{name}</b>
            <span>{preset ? `${preset.scheme.toUpperCase()}, ${t.port(preset.port)}` : t.presetCustomDetail}</span>
          </AriaButton>
        ))}
      </div>
      <FormError error={error} />
      {kept && kept.length > 0 && (
        <section className="stack tight" aria-label={t.storedTunnels}>
          <h2>{t.storedTunnels}</h2>
          <ul className="presets">
            {kept.map((stored) => (
              <li key={stored.id} className="preset-kept">
                <AriaButton
                  className="preset"
                  isDisabled={!isConnected}
                  onPress={() => setAsked({ kind: "stored", stored })}
                >
                  <Bookmark aria-hidden />
                  <b className="break">{stored.name || t.openTunnel}</b>
                  <span className="break">{leadsTo(stored)}</span>
                </AriaButton>
                <MoreMenu
                  label={`${t.moreActions}: ${stored.name}`}
                  entries={[
                    isConnected && {
                      id: "open",
                      name: t.openTunnel,
                      icon: <Cable />,
                      onAction: () => setAsked({ kind: "stored", stored }),
                    },
                    {
                      id: "delete",
                      name: `${t.delete}…`,
                      icon: <Trash2 />,
                      danger: true,
                      onAction: () => setAsked({ kind: "delete", stored }),
                    },
                  ]}
                />
              </li>
            ))}
          </ul>
        </section>
      )}
      {asked?.kind === "new" && <OpenTunnel client={client} preset={asked.preset} onClose={close} />}
      {asked?.kind === "stored" && <OpenTunnel client={client} preset={null} stored={asked.stored} onClose={close} />}
      {asked?.kind === "delete" && (
        <Confirm
          title={t.deletePreset}
          action={t.delete}
          onClose={close}
          {...(asked.stored.name ? { name: asked.stored.name } : {})}
          onConfirm={async () => {
            await call("DELETE /clients/{client_id}/stored-tunnels/{stored_tunnel_id}", {
              path: { client_id: id, stored_tunnel_id: asked.stored.id },
            });
            toast.ok(t.presetDeleted);
            await queries.invalidateQueries({ queryKey: ["stored-tunnels", id] });
          }}
        >
          <p>{t.deletePresetDetail}</p>
        </Confirm>
      )}
    </>
  );
}

function leadsTo({ scheme, remote_ip: host, remote_port: port }: StoredTunnel): string {
  const target = [host, port].filter(Boolean).join(":");
  return [scheme?.toUpperCase(), target].filter(Boolean).join(", ") || t.presetCustomDetail;
}
