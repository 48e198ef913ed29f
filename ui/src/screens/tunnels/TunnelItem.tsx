import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, ExternalLink, ShieldCheck, Unplug } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { ApiError } from "../../api/errors";
import { useStatus } from "../../api/me";
import type { Tunnel } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { CommandLine } from "../../kit/copy";
import { Dialog } from "../../kit/dialog";
import { TextField } from "../../kit/field";
import { MoreMenu } from "../../kit/menu";
import { FormError } from "../../kit/states";
import { duration, Time, useNow } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { endsAt, howTo, reach } from "./model";

/** One open tunnel: where it leads, how to use it, when it ends. */
export function TunnelItem({
  tunnel,
  clientId,
  clientName,
}: {
  tunnel: Tunnel;
  clientId: string;
  clientName?: string;
}) {
  const { data: status } = useStatus();
  const [asked, setAsked] = useState<"cut" | "acl" | null>(null);
  const queries = useQueryClient();
  const [busy, run] = useBusy();
  const host = status?.tunnel_host ?? "";
  const { command, link } = howTo(tunnel, host);
  const dialled = reach(tunnel, host);

  const refresh = async () => {
    await Promise.all([
      queries.invalidateQueries({ queryKey: ["client", clientId] }),
      queries.invalidateQueries({ queryKey: ["tunnels"] }),
    ]);
  };
  const close = async (force: boolean) => {
    const path = { client_id: clientId, tunnel_id: tunnel.id };
    await call("DELETE /clients/{client_id}/tunnels/{tunnel_id}", { path, query: force ? { force: true } : {} });
    toast.ok(t.tunnelClosed);
    await refresh();
  };
  const tryClose = () =>
    run(async () => {
      try {
        await close(false);
      } catch (error) {
        if (error instanceof ApiError && error.status === 409) setAsked("cut");
        else toast.bad(error);
      }
    });

  return (
    <li className="tunnel">
      <div>
        <div className="route">
          {tunnel.scheme && <span className="badge accent">{tunnel.scheme}</span>}
          {clientName !== undefined && (
            <Link to="/clients/$clientId/$tab" params={{ clientId, tab: "tunnels" }} className="break">
              {clientName}
            </Link>
          )}
          <code>
            {dialled.host}:{dialled.port}
          </code>
          <ArrowRight aria-label={t.leadsTo} />
          <code className="break">
            {tunnel.rhost}:{tunnel.rport}
          </code>
          {tunnel.protocol !== "tcp" && <span className="badge">{tunnel.protocol}</span>}
        </div>
        <div className="meta">
          <span>{tunnel.acl ? t.openTo(tunnel.acl) : t.openToAll}</span>
          <Ends tunnel={tunnel} />
          <span>
            <Time at={tunnel.created_at} /> {tunnel.owner ? t.openedBy(tunnel.owner) : t.fromAgent}
          </span>
        </div>
      </div>
      <div className="row" style={{ alignItems: "flex-start" }}>
        {link && (
          <a className="button small" href={link} target="_blank" rel="noreferrer noopener">
            <ExternalLink aria-hidden />
            {t.open}
          </a>
        )}
        <Button
          size="small"
          kind="quiet-danger"
          icon={<Unplug />}
          busy={busy}
          onPress={() => void tryClose()}
          aria-label={`${t.closeTunnel} ${tunnel.lport}`}
        >
          {t.close}
        </Button>
        <MoreMenu
          entries={[{ id: "acl", name: t.changeAcl, icon: <ShieldCheck />, onAction: () => setAsked("acl") }]}
        />
      </div>
      {command && <CommandLine text={command} />}
      {asked === "cut" && (
        <Confirm
          title={t.closeTunnel}
          warning={t.closeTunnelBusy}
          action={t.closeAnyway}
          onClose={() => setAsked(null)}
          onConfirm={() => close(true)}
        />
      )}
      {asked === "acl" && (
        <AclDialog tunnel={tunnel} clientId={clientId} onClose={() => setAsked(null)} onSaved={refresh} />
      )}
    </li>
  );
}

function Ends({ tunnel }: { tunnel: Tunnel }) {
  const end = endsAt(tunnel);
  if (end !== null) return <Countdown end={end} />;
  if (tunnel.idle_timeout_minutes > 0) return <span>{t.idleAfter(tunnel.idle_timeout_minutes)}</span>;
  return <span>{t.staysOpen}</span>;
}

function Countdown({ end }: { end: number }) {
  return <span className="num">{t.closesIn(duration((end - useNow()) / 1000))}</span>;
}

interface AclProps {
  tunnel: Tunnel;
  clientId: string;
  onClose: () => void;
  onSaved: () => Promise<void>;
}

function AclDialog({ tunnel, clientId, onClose, onSaved }: AclProps) {
  const { data: ip } = useQuery({ queryKey: ["my-ip"], queryFn: async () => (await call("GET /me/ip")).data.ip });
  const [acl, setAcl] = useState(tunnel.acl ?? "");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const save = () =>
    run(async () => {
      setError(null);
      try {
        await call("PUT /clients/{client_id}/tunnels/{tunnel_id}/acl", {
          path: { client_id: clientId, tunnel_id: tunnel.id },
          body: { acl: acl.trim() === "" ? null : acl.replace(/\s+/g, "") },
        });
        toast.ok(t.aclSaved);
        await onSaved();
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={t.changeAcl} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextField label={t.addresses} value={acl} onChange={setAcl} autoFocus />
        <div className="row">
          {ip && (
            <Button size="small" onPress={() => setAcl(ip)}>
              {t.onlyMe(ip)}
            </Button>
          )}
          <Button size="small" onPress={() => setAcl("")}>
            {t.anyone}
          </Button>
        </div>
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
