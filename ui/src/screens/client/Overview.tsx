import type { ReactNode } from "react";
import type { Client } from "../../api/schema";
import { Copyable } from "../../kit/copy";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { Tags } from "../clients/columns";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "15.6 GiB". */
export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return "–";
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

interface Configuration {
  remote_commands?: { enabled?: boolean };
  remote_scripts?: { enabled?: boolean };
}

export function Overview({ client }: { client: Client }) {
  const configuration = (client.client_configuration ?? {}) as Configuration;
  const updates = client.updates_status;
  const isAllowed = (enabled: boolean | undefined) => (enabled === false ? t.notAllowed : t.allowed);
  return (
    <div className="grid">
      <Facts
        title={t.system}
        facts={[
          [t.os, client.os_full_name || client.os],
          [t.kernel, client.os_kernel],
          [t.architecture, client.os_arch],
          [
            t.processor,
            [client.cpu_model_name, client.num_cpus ? t.cores(client.num_cpus) : ""].filter(Boolean).join(", "),
          ],
          [t.memory, bytes(client.mem_total)],
          [
            t.virtualization,
            [client.os_virtualization_system, client.os_virtualization_role].filter(Boolean).join(", "),
          ],
          [t.timezone, client.timezone],
        ]}
      />
      <Facts
        title={t.network}
        facts={[
          [t.hostname, client.hostname],
          [t.connection, client.address && <Copyable text={client.address} />],
          [
            t.externalAddress,
            [client.ext_ip_addresses?.ipv4, client.ext_ip_addresses?.ipv6].filter(Boolean).join(", "),
          ],
          ["IPv4", <List key="4" values={client.ipv4} />],
          ["IPv6", <List key="6" values={client.ipv6} />],
        ]}
      />
      <Facts
        title={t.agent}
        facts={[
          [t.version, client.version],
          [t.credentialsId, client.client_auth_id],
          [t.lastSeen, <Time key="seen" at={client.last_heartbeat_at} empty={t.justNow} />],
          [t.remoteCommands, isAllowed(configuration.remote_commands?.enabled)],
          [t.remoteScripts, isAllowed(configuration.remote_scripts?.enabled)],
          [
            t.updates,
            updates && (
              <span key="updates">
                {updates.error || t.updatesAvailable(updates.updates_available)}
                {updates.security_updates_available > 0 && (
                  <>
                    {" "}
                    <span className="badge warn">{t.securityUpdates(updates.security_updates_available)}</span>
                  </>
                )}
              </span>
            ),
          ],
        ]}
      />
      <Facts
        title={t.tabAttributes}
        facts={[
          [t.tags, <Tags key="tags" values={client.tags} />],
          [t.groups, <Tags key="groups" values={client.groups} />],
          [t.accessGroups, <Tags key="access" values={client.allowed_user_groups} />],
          ...Object.entries(client.labels ?? {}).map(([key, value]): [string, ReactNode] => [key, value]),
        ]}
      />
    </div>
  );
}

function List({ values }: { values: readonly string[] | null | undefined }) {
  if (!values || values.length === 0) return "–";
  return (
    <ul>
      {values.map((value) => (
        <li key={value}>
          <Copyable text={value} />
        </li>
      ))}
    </ul>
  );
}

export function Facts({
  title,
  facts,
  actions,
}: {
  title: string;
  facts: readonly [string, ReactNode][];
  actions?: ReactNode;
}) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{title}</h2>
        {actions && <div className="actions">{actions}</div>}
      </div>
      <dl className="facts panel-body">
        {facts.map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt className="break">{name}</dt>
            <dd>{value || <span className="muted">–</span>}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
