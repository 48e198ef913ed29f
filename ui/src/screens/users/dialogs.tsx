import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { ADMINISTRATORS, useStatus } from "../../api/me";
import type { EffectivePermissions, User, UserGroup } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Checkbox, TagField, TextField } from "../../kit/field";
import { FormError } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";

interface DialogProps {
  onClose: () => void;
  onChanged: () => Promise<unknown>;
}

export function UserDialog({ user, onClose, onChanged }: DialogProps & { user: User | null }) {
  const { data: status } = useStatus();
  const { data: users } = useQuery({ queryKey: ["users"], queryFn: async () => (await call("GET /users")).data });
  const [name, setName] = useState(user?.username ?? "");
  const [password, setPassword] = useState("");
  const [groups, setGroups] = useState<string[]>(user?.groups ?? []);
  const [sendTo, setSendTo] = useState(user?.two_fa_send_to ?? "");
  const [mustChange, setMustChange] = useState(user?.password_expired ?? false);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const known = [...new Set([ADMINISTRATORS, ...(users?.flatMap((other) => other.groups ?? []) ?? [])])];
  const wantsAddress = status?.two_fa_enabled && status.two_fa_delivery_method !== "totp_authenticator_app";

  const save = () =>
    run(async () => {
      setError(null);
      try {
        const common = { groups, password_expired: mustChange, ...(wantsAddress ? { two_fa_send_to: sendTo } : {}) };
        if (user) {
          await call("PUT /users/{user_id}", {
            path: { user_id: user.username },
            body: {
              ...common,
              ...(name === user.username ? {} : { username: name }),
              ...(password ? { password } : {}),
            },
          });
        } else {
          await call("POST /users", { body: { ...common, username: name, password } });
        }
        toast.ok(user ? t.userSaved : t.userAdded);
        await onChanged();
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={user ? t.editUser(user.username) : t.addUser} dismissable={false} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextField label={t.username} value={name} onChange={setName} autoFocus={!user} autoComplete="off" />
        <TextField
          label={user ? t.newPassword : t.password}
          type="password"
          hint={[status ? t.passwordMin(status.password_min_length) : "", user ? t.keepPassword : ""].join(" ")}
          value={password}
          onChange={setPassword}
          autoComplete="new-password"
        />
        <TagField label={t.memberOf} values={groups} onChange={setGroups} suggestions={known} />
        {wantsAddress && <TextField label={t.sendTo} hint={t.sendToHint} value={sendTo} onChange={setSendTo} />}
        <Checkbox isSelected={mustChange} onChange={setMustChange}>
          {t.mustChange}
        </Checkbox>
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={name === "" || (!user && password === "")}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const NOTHING: EffectivePermissions = {
  auditlog: false,
  commands: false,
  monitoring: false,
  scheduler: false,
  scripts: false,
  tunnels: false,
  uploads: false,
  vault: false,
};

export function GroupDialog({ group, onClose, onChanged }: DialogProps & { group: UserGroup | null }) {
  const [name, setName] = useState(group?.name ?? "");
  const [permissions, setPermissions] = useState<EffectivePermissions>(group?.permissions ?? NOTHING);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const save = () =>
    run(async () => {
      setError(null);
      try {
        // A group is replaced as a whole: restrictions that are set elsewhere have to be sent back.
        const { tunnels_restricted, commands_restricted } = group ?? {};
        await call("PUT /user-groups/{group_name}", {
          path: { group_name: name.trim() },
          body: {
            permissions: { ...permissions },
            ...(tunnels_restricted ? { tunnels_restricted } : {}),
            ...(commands_restricted ? { commands_restricted } : {}),
          },
        });
        toast.ok(t.groupSaved);
        await onChanged();
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  const names = Object.entries(t.permissionNames) as [keyof EffectivePermissions, string][];
  return (
    <Dialog title={group ? t.editUser(group.name) : t.addGroup} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextField label={t.name} value={name} onChange={setName} isDisabled={group !== null} autoFocus={!group} />
        <div className="field">
          <span className="label">{t.permissions}</span>
          <div className="stack tight">
            {names.map(([key, text]) => (
              <Checkbox
                key={key}
                isSelected={permissions[key]}
                onChange={(on) => setPermissions({ ...permissions, [key]: on })}
              >
                {text}
              </Checkbox>
            ))}
          </div>
        </div>
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={name.trim() === ""}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
