import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePlus, LogOut, Pencil, ShieldOff, Trash2, Users as UsersIcon } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { ApiError } from "../../api/errors";
import { ADMINISTRATORS, useMe, useStatus } from "../../api/me";
import type { EffectivePermissions, User, UserGroup } from "../../api/schema";
import { Button } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { MoreMenu } from "../../kit/menu";
import { Failed, Loading, Notice, State } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { GroupDialog, UserDialog } from "./dialogs";

type Asked =
  | { kind: "user"; user: User | null }
  | { kind: "delete-user"; user: User }
  | { kind: "group"; group: UserGroup | null }
  | { kind: "delete-group"; group: UserGroup };

export function granted(permissions: EffectivePermissions): string[] {
  const names = Object.entries(t.permissionNames) as [keyof EffectivePermissions, string][];
  return names.filter(([key]) => permissions[key]).map(([, name]) => name);
}

export function Users() {
  const queries = useQueryClient();
  const { data: status } = useStatus();
  const { data: me } = useMe();
  const [asked, setAsked] = useState<Asked | null>(null);
  const isFixed = status?.users_auth_source === "Static Credentials";
  const hasGroups = status?.users_auth_source === "DB";
  const users = useQuery({
    queryKey: ["users"],
    queryFn: async () => (await call("GET /users")).data,
    enabled: status !== undefined && !isFixed,
  });
  const groups = useQuery({
    queryKey: ["user-groups"],
    queryFn: async () => (await call("GET /user-groups")).data,
    enabled: hasGroups,
  });
  const close = () => setAsked(null);
  const changed = async () => {
    await Promise.all([
      queries.invalidateQueries({ queryKey: ["users"] }),
      queries.invalidateQueries({ queryKey: ["user-groups"] }),
      queries.invalidateQueries({ queryKey: ["me"] }),
    ]);
  };
  const tell = async (action: Promise<unknown>, text: string) => {
    try {
      await action;
      toast.ok(text);
      await changed();
    } catch (error) {
      toast.bad(error);
    }
  };

  if (isFixed) {
    return (
      <div className="page">
        <header className="page-head">
          <h1>{t.users}</h1>
        </header>
        <Notice>{t.usersStatic}</Notice>
      </div>
    );
  }
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.users}</h1>
        {users.data && <span className="count">{users.data.length}</span>}
        <div className="actions">
          <Button kind="primary" icon={<CirclePlus />} onPress={() => setAsked({ kind: "user", user: null })}>
            {t.addUser}
          </Button>
        </div>
      </header>
      <section className="panel">
        {users.error ? (
          <Failed error={users.error} retry={() => void users.refetch()} />
        ) : !users.data ? (
          <Loading />
        ) : (
          <div className="table-wrap">
            <table className="table cards">
              <thead>
                <tr>
                  <th>{t.username}</th>
                  <th>{t.memberOf}</th>
                  {status?.two_fa_enabled && <th>{t.sendTo}</th>}
                  <th>{t.state}</th>
                  <th>
                    <span className="hidden-visually">{t.moreActions}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {users.data.map((user) => (
                  <tr key={user.username}>
                    <td>
                      <span className="row">
                        <span className="avatar" aria-hidden>
                          {user.username.slice(0, 2).toUpperCase()}
                        </span>
                        <span className="name break">{user.username}</span>
                        {user.username === me?.username && <span className="badge">{t.you}</span>}
                      </span>
                    </td>
                    <td data-label={t.memberOf}>
                      <span className="tags">
                        {(user.groups ?? []).map((group) => (
                          <span key={group} className={group === ADMINISTRATORS ? "badge accent" : "tag"}>
                            <span>{group}</span>
                          </span>
                        ))}
                      </span>
                    </td>
                    {status?.two_fa_enabled && <td data-label={t.sendTo}>{user.two_fa_send_to || "–"}</td>}
                    <td data-label={t.state}>
                      {user.password_expired ? (
                        <span className="badge warn">{t.passwordExpired}</span>
                      ) : (
                        <span className="badge ok">{t.active}</span>
                      )}
                    </td>
                    <td className="actions">
                      <MoreMenu
                        label={`${t.moreActions}: ${user.username}`}
                        entries={[
                          {
                            id: "edit",
                            name: t.edit,
                            icon: <Pencil />,
                            onAction: () => setAsked({ kind: "user", user }),
                          },
                          {
                            id: "sessions",
                            name: t.endSessions,
                            icon: <LogOut />,
                            onAction: () =>
                              void tell(
                                call("DELETE /users/{user_id}/sessions", { path: { user_id: user.username } }),
                                t.sessionsEnded,
                              ),
                          },
                          status?.two_fa_delivery_method === "totp_authenticator_app" && {
                            id: "totp",
                            name: t.resetTotp,
                            icon: <ShieldOff />,
                            onAction: () =>
                              void tell(
                                call("DELETE /users/{user_id}/totp-secret", { path: { user_id: user.username } }),
                                t.totpReset,
                              ),
                          },
                          {
                            id: "delete",
                            name: `${t.delete}…`,
                            icon: <Trash2 />,
                            danger: true,
                            onAction: () => setAsked({ kind: "delete-user", user }),
                          },
                        ]}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <header className="page-head">
        <h2>{t.userGroups}</h2>
        <div className="actions">
          {hasGroups && status?.group_permissions_enabled && (
            <Button icon={<CirclePlus />} onPress={() => setAsked({ kind: "group", group: null })}>
              {t.addGroup}
            </Button>
          )}
        </div>
      </header>
      {!hasGroups ? (
        <Notice>{t.groupsNotHere}</Notice>
      ) : (
        <section className="panel">
          <Groups groups={groups.data} error={groups.error} ask={setAsked} />
        </section>
      )}
      {asked?.kind === "user" && <UserDialog user={asked.user} onClose={close} onChanged={changed} />}
      {asked?.kind === "group" && <GroupDialog group={asked.group} onClose={close} onChanged={changed} />}
      {asked?.kind === "delete-user" && (
        <Confirm
          title={t.deleteUser}
          name={asked.user.username}
          action={t.delete}
          onClose={close}
          onConfirm={async () => {
            await call("DELETE /users/{user_id}", { path: { user_id: asked.user.username } });
            toast.ok(t.userDeleted);
            await changed();
          }}
        >
          <p>{t.deleteUserDetail}</p>
        </Confirm>
      )}
      {asked?.kind === "delete-group" && (
        <Confirm
          title={t.deleteGroup}
          name={asked.group.name}
          action={t.delete}
          onClose={close}
          onConfirm={async () => {
            await call("DELETE /user-groups/{group_name}", { path: { group_name: asked.group.name } });
            toast.ok(t.groupDeleted);
            await changed();
          }}
        >
          <p>{t.deleteGroupDetail}</p>
        </Confirm>
      )}
    </div>
  );
}

function Groups({
  groups,
  error,
  ask,
}: {
  groups: UserGroup[] | undefined;
  error: Error | null;
  ask: (asked: Asked) => void;
}) {
  if (error) return <Failed error={error instanceof ApiError ? error : String(error)} />;
  if (!groups) return <Loading lines={3} />;
  if (groups.length === 0) return <State icon={<UsersIcon className="mark" aria-hidden />} title={t.none} />;
  return (
    <div className="table-wrap">
      <table className="table cards">
        <thead>
          <tr>
            <th>{t.name}</th>
            <th>{t.permissions}</th>
            <th>
              <span className="hidden-visually">{t.moreActions}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => {
            const isAdmins = group.name === ADMINISTRATORS;
            const names = granted(group.permissions);
            return (
              <tr key={group.name}>
                <td className="name break">{group.name}</td>
                <td data-label={t.permissions}>
                  {isAdmins ? (
                    <span className="muted">{t.administratorsAll}</span>
                  ) : names.length > 0 ? (
                    <span className="tags">
                      {names.map((name) => (
                        <span className="tag" key={name}>
                          <span>{name}</span>
                        </span>
                      ))}
                    </span>
                  ) : (
                    <span className="muted">{t.noPermissions}</span>
                  )}
                </td>
                <td className="actions">
                  {!isAdmins && (
                    <MoreMenu
                      label={`${t.moreActions}: ${group.name}`}
                      entries={[
                        { id: "edit", name: t.edit, icon: <Pencil />, onAction: () => ask({ kind: "group", group }) },
                        {
                          id: "delete",
                          name: `${t.delete}…`,
                          icon: <Trash2 />,
                          danger: true,
                          onAction: () => ask({ kind: "delete-group", group }),
                        },
                      ]}
                    />
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
