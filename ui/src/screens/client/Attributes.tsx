import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useEffect, useState } from "react";
import { call } from "../../api/client";
import { useCan, useStatus } from "../../api/me";
import type { Client } from "../../api/schema";
import { Button, IconButton, useBusy } from "../../kit/button";
import { TagField, TextField } from "../../kit/field";
import { FormError, Notice } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { AccessGroups } from "./Access";

export function Attributes({ client }: { client: Client }) {
  const can = useCan();
  return (
    <div className="grid">
      <TagsAndLabels client={client} />
      {can("admin") && <Access client={client} />}
    </div>
  );
}

interface Label {
  key: string;
  value: string;
}

function TagsAndLabels({ client }: { client: Client }) {
  const id = client.id ?? "";
  const queries = useQueryClient();
  const [tags, setTags] = useState<string[]>(client.tags ?? []);
  const [labels, setLabels] = useState<Label[]>(
    Object.entries(client.labels ?? {}).map(([key, value]) => ({ key, value })),
  );
  const [dirty, setDirty] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const known = useQuery({
    queryKey: ["client-tags"],
    queryFn: async () => (await call("GET /client-tags", { query: { "page[limit]": 500 } })).data,
  });
  useEffect(() => {
    // What somebody else changed shows up, unless it would overwrite what is being typed here.
    if (dirty) return;
    setTags(client.tags ?? []);
    setLabels(Object.entries(client.labels ?? {}).map(([key, value]) => ({ key, value })));
  }, [client.tags, client.labels, dirty]);
  const isConnected = client.connection_state === "connected";
  const change = (next: Label[]) => {
    setDirty(true);
    setLabels(next);
  };
  const save = () =>
    run(async () => {
      setError(null);
      try {
        const named = labels.filter((label) => label.key.trim() !== "");
        const body = { tags, labels: Object.fromEntries(named.map((label) => [label.key.trim(), label.value])) };
        await call("PUT /clients/{client_id}/attributes", { path: { client_id: id }, body });
        await queries.invalidateQueries({ queryKey: ["client", id] });
        setDirty(false);
        toast.ok(t.attributesSaved);
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>
          {t.tags} & {t.labels.toLowerCase()}
        </h2>
      </div>
      <div className="panel-body stack">
        {!isConnected && <Notice kind="warn">{t.attributesAtAgent}</Notice>}
        <TagField
          label={t.tags}
          values={tags}
          suggestions={known.data?.map((item) => item.tag ?? "") ?? []}
          onChange={(next) => {
            setDirty(true);
            setTags(next);
          }}
        />
        {labels.map((label, index) => (
          <div className="row" key={index}>
            <div className="grow">
              <TextField
                label={t.labelKey}
                value={label.key}
                onChange={(key) => change(labels.map((other, at) => (at === index ? { ...other, key } : other)))}
              />
            </div>
            <div className="grow">
              <TextField
                label={t.labelValue}
                value={label.value}
                onChange={(value) => change(labels.map((other, at) => (at === index ? { ...other, value } : other)))}
              />
            </div>
            <div style={{ alignSelf: "flex-end" }}>
              <IconButton
                kind="quiet"
                label={t.removeNamed(label.key)}
                icon={<X />}
                onPress={() => change(labels.filter((_, at) => at !== index))}
              />
            </div>
          </div>
        ))}
        <div>
          <Button kind="quiet" size="small" icon={<Plus />} onPress={() => change([...labels, { key: "", value: "" }])}>
            {t.addLabel}
          </Button>
        </div>
        <FormError error={error} />
        <div className="row end">
          <Button kind="primary" busy={busy} isDisabled={!isConnected || !dirty} onPress={() => void save()}>
            {t.save}
          </Button>
        </div>
      </div>
    </section>
  );
}

function Access({ client }: { client: Client }) {
  const id = client.id ?? "";
  const queries = useQueryClient();
  const { data: status } = useStatus();
  const [groups, setGroups] = useState<string[]>(client.allowed_user_groups ?? []);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const isFixed = status?.users_auth_source === "Static Credentials";
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.access}</h2>
      </div>
      <div className="panel-body stack">
        <p className="muted">{isFixed ? t.accessNotHere : t.accessDetail}</p>
        {!isFixed && (
          <>
            <AccessGroups groups={groups} onChange={setGroups} />
            <FormError error={error} />
            <div className="row end">
              <Button
                kind="primary"
                busy={busy}
                onPress={() =>
                  run(async () => {
                    setError(null);
                    try {
                      await call("POST /clients/{client_id}/acl", {
                        path: { client_id: id },
                        body: { allowed_user_groups: groups },
                      });
                      await queries.invalidateQueries({ queryKey: ["client", id] });
                      toast.ok(t.accessSaved);
                    } catch (failure) {
                      setError(failure);
                    }
                  })
                }
              >
                {t.save}
              </Button>
            </div>
          </>
        )}
      </div>
    </section>
  );
}
