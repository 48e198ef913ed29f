import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { useStatus } from "../../api/me";
import type { Client, StoredTunnel } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Checkbox, Segments, TextField } from "../../kit/field";
import { Select } from "../../kit/select";
import { FormError, Notice } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { type Preset, storedBody, type Visitors, type Wish, wishOf, wishOfStored, wishParams } from "./model";

/** Asks for a tunnel, with everything but the port filled in sensibly. */
export function OpenTunnel({
  client,
  preset,
  stored,
  onClose,
}: {
  client: Client;
  preset: Preset | null;
  /** What was kept; it takes the place of the preset. */
  stored?: StoredTunnel;
  onClose: () => void;
}) {
  const id = client.id ?? "";
  const queries = useQueryClient();
  const { data: status } = useStatus();
  const { data: ip } = useQuery({ queryKey: ["my-ip"], queryFn: async () => (await call("GET /me/ip")).data.ip });
  const [begin] = useState(() =>
    stored ? wishOfStored(stored) : { wish: wishOf(preset), visitors: "me" as Visitors },
  );
  const [visitors, setVisitors] = useState(begin.visitors);
  const [more, setMore] = useState(preset === null);
  const [keep, setKeep] = useState(false);
  const [name, setName] = useState(stored?.name ?? "");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const [wish, setWish] = useState<Wish>(begin.wish);
  const set = (change: Partial<Wish>) => setWish({ ...wish, ...change });
  const acl = visitors === "me" ? (ip ?? "") : visitors === "listed" ? wish.acl : "";
  const isWeb = wish.scheme === "http" || wish.scheme === "https";
  const ready = wish.port !== "" && (visitors === "all" || acl !== "") && (!keep || name.trim() !== "");
  const keepIt = async () => {
    const body = storedBody(name, wish, visitors, stored);
    const path = { client_id: id };
    await (stored
      ? call("PUT /clients/{client_id}/stored-tunnels/{stored_tunnel_id}", {
          path: { ...path, stored_tunnel_id: stored.id },
          body,
        })
      : call("POST /clients/{client_id}/stored-tunnels", { path, body }));
    await queries.invalidateQueries({ queryKey: ["stored-tunnels", id] });
  };

  const open = () =>
    run(async () => {
      setError(null);
      try {
        const query = wishParams({ ...wish, acl, front: wish.front && isWeb });
        await call("PUT /clients/{client_id}/tunnels", { path: { client_id: id }, query });
        await Promise.all([
          queries.invalidateQueries({ queryKey: ["client", id] }),
          queries.invalidateQueries({ queryKey: ["tunnels"] }),
        ]);
        toast.ok(t.tunnelOpened);
        // The tunnel is open: what goes wrong now must not look as if it were not.
        if (keep) await keepIt().catch(toast.bad);
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });

  return (
    <Dialog title={t.openTunnelTo(client.name || id)} dismissable={false} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) void open();
        }}
      >
        <div className="row" style={{ alignItems: "flex-start" }}>
          <div className="grow">
            <TextField label={t.remoteHost} value={wish.host} onChange={(host) => set({ host })} />
          </div>
          <div style={{ width: 110 }}>
            <TextField
              label={t.remotePort}
              value={wish.port}
              onChange={(port) => set({ port: port.replace(/\D/g, "") })}
              inputMode="numeric"
              autoFocus
            />
          </div>
        </div>
        <div className="field">
          <span className="label">{t.whoMayVisit}</span>
          <Segments
            label={t.whoMayVisit}
            value={visitors}
            choices={[
              { id: "me", name: t.onlyMe(ip ?? "…") },
              { id: "listed", name: t.listed },
              { id: "all", name: t.all },
            ]}
            onChange={setVisitors}
          />
        </div>
        {visitors === "listed" && (
          <TextField
            label={t.addresses}
            value={wish.acl}
            onChange={(next) => set({ acl: next })}
            placeholder="192.0.2.7, 10.0.0.0/8"
          />
        )}
        {visitors === "all" && <Notice kind="warn">{t.anyoneWarning}</Notice>}
        {isWeb && status?.tunnel_proxy_enabled && (
          <Checkbox isSelected={wish.front} onChange={(front) => set({ front })}>
            {t.httpsFront}
            <br />
            <span className="muted small">{t.httpsFrontHint}</span>
          </Checkbox>
        )}
        {wish.front && isWeb && (
          <div className="row" style={{ alignItems: "flex-start" }}>
            <div className="grow">
              <TextField
                label={t.username}
                hint={t.basicAuth}
                value={wish.user}
                onChange={(user) => set({ user })}
                autoComplete="off"
              />
            </div>
            <div className="grow">
              <TextField
                label={t.password}
                type="password"
                value={wish.password}
                onChange={(password) => set({ password })}
                autoComplete="new-password"
              />
            </div>
          </div>
        )}
        {more ? (
          <>
            <div className="row" style={{ alignItems: "flex-start" }}>
              <div className="grow">
                <Select
                  label={t.protocol}
                  value={wish.protocol}
                  choices={["tcp", "udp", "tcp+udp"].map((name) => ({ id: name, name: name.toUpperCase() }))}
                  onChange={(protocol) => set({ protocol })}
                />
              </div>
              <div className="grow">
                <TextField label={t.scheme} value={wish.scheme} onChange={(scheme) => set({ scheme })} maxLength={15} />
              </div>
            </div>
            <div className="row" style={{ alignItems: "flex-start" }}>
              <div className="grow">
                <TextField
                  label={t.publicPort}
                  hint={t.publicPortHint}
                  value={wish.publicPort}
                  onChange={(port) => set({ publicPort: port.replace(/\D/g, "") })}
                  inputMode="numeric"
                />
              </div>
              <div className="grow">
                <TextField
                  label={t.autoClose}
                  hint={t.autoCloseHint}
                  value={wish.autoClose}
                  onChange={(autoClose) => set({ autoClose })}
                />
              </div>
            </div>
            <TextField
              label={`${t.idleClose} (${t.minutes})`}
              hint={t.idleHint}
              value={wish.idleMinutes}
              onChange={(minutes) => set({ idleMinutes: minutes.replace(/\D/g, "") })}
              inputMode="numeric"
            />
            <Checkbox isSelected={wish.checkPort} onChange={(checkPort) => set({ checkPort })}>
              {t.checkPort}
            </Checkbox>
          </>
        ) : (
          <div>
            <Button kind="quiet" size="small" onPress={() => setMore(true)}>
              {t.advanced}
            </Button>
          </div>
        )}
        <Checkbox isSelected={keep} onChange={setKeep}>
          {stored ? t.keepChanges : t.keepTunnel}
        </Checkbox>
        {keep && <TextField label={t.presetName} value={name} onChange={setName} maxLength={120} autoComplete="off" />}
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={!ready}>
            {t.open}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
