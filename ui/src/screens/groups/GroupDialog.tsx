import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { useStatus } from "../../api/me";
import type { ClientGroup } from "../../api/schema";
import { Button, IconButton, useBusy } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Checkbox, TagField, TextField } from "../../kit/field";
import { Select } from "../../kit/select";
import { FormError, Notice } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { useGroupNames } from "../client/Access";
import { preview, type Rule, type RuleName, rulesBody, rulesOf } from "./rules";

const CHOICES = (Object.entries(t.ruleNames) as [RuleName, string][]).map(([id, name]) => ({ id, name }));

interface Props {
  group: ClientGroup | null;
  onClose: () => void;
  onChanged: () => Promise<unknown>;
}

/** Makes a group, or changes one, and shows meanwhile who would belong to it. */
export function GroupDialog({ group, onClose, onChanged }: Props) {
  const { data: status } = useStatus();
  const [id, setId] = useState(group?.id ?? "");
  const [description, setDescription] = useState(group?.description ?? "");
  const [rules, setRules] = useState<Rule[]>(() =>
    group ? rulesOf(group.params) : [{ name: "tag", values: [], isAll: false }],
  );
  const [access, setAccess] = useState<string[]>(group?.allowed_user_groups ?? []);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const known = useGroupNames();
  const tags = useQuery({
    queryKey: ["client-tags"],
    queryFn: async () => (await call("GET /client-tags", { query: { "page[limit]": 500 } })).data,
  });
  const change = (index: number, next: Partial<Rule>) =>
    setRules(rules.map((rule, at) => (at === index ? { ...rule, ...next } : rule)));
  const save = () =>
    run(async () => {
      setError(null);
      try {
        const body = {
          id,
          description,
          params: rulesBody(rules),
          // Null means that nobody has ever said; it stays so until somebody does.
          allowed_user_groups: access.length > 0 || group?.allowed_user_groups ? access : null,
        };
        if (group) await call("PUT /client-groups/{group_id}", { path: { group_id: id }, body });
        else await call("POST /client-groups", { body });
        toast.ok(t.clientGroupSaved);
        await onChanged();
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={group ? t.editClientGroup(id) : t.addClientGroup} dismissable={false} wide onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (id !== "" && !busy) void save();
        }}
      >
        <div className="form-row">
          {!group && (
            <TextField
              label={t.groupId}
              hint={t.groupIdHint}
              value={id}
              onChange={setId}
              maxLength={30}
              autoFocus
              autoComplete="off"
            />
          )}
          <TextField label={t.description} value={description} onChange={setDescription} />
        </div>
        <fieldset className="rules">
          <legend className="label">{t.rules}</legend>
          <p className="muted small">{t.rulesHint}</p>
          {rules.map((rule, index) => (
            <div className="rule" key={index}>
              <Select
                label={t.rule}
                value={rule.name}
                choices={CHOICES.filter(
                  (choice) => choice.id === rule.name || rules.every((other) => other.name !== choice.id),
                )}
                onChange={(name) => change(index, { name: name as RuleName, isAll: false })}
              />
              <div className="stack tight">
                <TagField
                  label={t.ruleValues}
                  values={rule.values}
                  onChange={(values) => change(index, { values })}
                  suggestions={
                    rule.name === "tag"
                      ? (tags.data?.map((tag) => tag.tag ?? "") ?? [])
                      : rule.name === "connection_state"
                        ? ["connected", "disconnected"]
                        : []
                  }
                />
                {rule.name === "tag" && rule.values.length > 1 && (
                  <Checkbox isSelected={rule.isAll} onChange={(isAll) => change(index, { isAll })}>
                    {t.rulesAllTags}
                  </Checkbox>
                )}
              </div>
              <IconButton
                kind="quiet"
                size="small"
                label={`${t.removeRule}: ${t.ruleNames[rule.name]}`}
                icon={<X />}
                onPress={() => setRules(rules.filter((_, at) => at !== index))}
              />
            </div>
          ))}
          <div>
            <Button
              size="small"
              icon={<Plus />}
              isDisabled={rules.length >= CHOICES.length}
              onPress={() => {
                const free = CHOICES.find((choice) => rules.every((rule) => rule.name !== choice.id));
                if (free) setRules([...rules, { name: free.id, values: [], isAll: false }]);
              }}
            >
              {t.addRule}
            </Button>
          </div>
        </fieldset>
        <Fitting rules={rules} />
        {status?.users_auth_source !== "Static Credentials" && (
          <TagField label={t.groupMayUse} values={access} onChange={setAccess} suggestions={known} />
        )}
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={id === ""}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Fitting({ rules: typed }: { rules: readonly Rule[] }) {
  const rules = useDeferredValue(typed);
  const { data } = useQuery({
    queryKey: ["clients", "fitting", rulesBody(rules)],
    queryFn: ({ signal }) => preview(rules, signal),
    placeholderData: (before) => before,
  });
  if (!data) return null;
  return (
    <Notice>
      <div aria-live="polite">
        {t.previewCount(data.count)} {data.names.join(", ")}{" "}
        {data.count > data.names.length && t.previewMore(data.count - data.names.length)}
      </div>
    </Notice>
  );
}
