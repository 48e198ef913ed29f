import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Boxes, CirclePlus, Pencil, Terminal, Trash2 } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import { useCan } from "../../api/me";
import type { ClientGroup } from "../../api/schema";
import { Button } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { MoreMenu } from "../../kit/menu";
import { Failed, Loading, State } from "../../kit/states";
import { Table } from "../../kit/table";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { Tags } from "../clients/columns";
import { GroupDialog } from "./GroupDialog";
import { ruleWords } from "./rules";

const MOST = 500;
const FIELDS = ["id", "description", "params", "allowed_user_groups", "num_clients", "num_clients_connected"];

type Asked = { kind: "edit"; group: ClientGroup | null } | { kind: "delete"; group: ClientGroup };

export function Groups() {
  const can = useCan();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  const isAdmin = can("admin");
  const { data, error, refetch } = useQuery({
    queryKey: ["client-groups", "list"],
    queryFn: async () =>
      (
        await call("GET /client-groups", {
          query: listParams({ sort: "id", fields: { resource: "client_groups", names: FIELDS }, limit: MOST }),
        })
      ).data,
  });
  const changed = () => queries.invalidateQueries({ queryKey: ["client-groups"] });
  const close = () => setAsked(null);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.clientGroups}</h1>
        {data && <span className="count">{data.length}</span>}
        <div className="actions">
          {isAdmin && (
            <Button kind="primary" icon={<CirclePlus />} onPress={() => setAsked({ kind: "edit", group: null })}>
              {t.addClientGroup}
            </Button>
          )}
        </div>
      </header>
      <p className="page-intro">{t.clientGroupsIntro}</p>
      <section className="panel">
        {error ? (
          <Failed error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : data.length === 0 ? (
          <State icon={<Boxes className="mark" aria-hidden />} title={t.noClientGroups}>
            {t.noClientGroupsDetail}
          </State>
        ) : (
          <Table
            items={data}
            keyOf={(group) => group.id ?? ""}
            columns={[
              {
                name: t.groupId,
                show: (group) => (
                  <span className="stack none">
                    <Link to="/clients" search={{ group: group.id ?? "" } as never} className="name break">
                      {group.id}
                    </Link>
                    {group.description && <span className="muted small">{group.description}</span>}
                  </span>
                ),
              },
              { name: t.rules, show: (group) => <Rules words={ruleWords(group.params)} /> },
              {
                name: t.members,
                show: (group) => t.membersOf(group.num_clients_connected ?? 0, group.num_clients ?? 0),
              },
              { name: t.accessGroups, show: (group) => <Tags values={group.allowed_user_groups} /> },
              {
                name: t.moreActions,
                isHidden: true,
                show: (group) => (
                  <MoreMenu
                    label={`${t.moreActions}: ${group.id}`}
                    entries={[
                      (can("commands") || can("scripts")) && {
                        id: "run",
                        name: t.runCommand,
                        icon: <Terminal />,
                        onAction: () => void navigate({ to: "/commands", search: { groups: group.id } as never }),
                      },
                      isAdmin && {
                        id: "edit",
                        name: t.edit,
                        icon: <Pencil />,
                        onAction: () => setAsked({ kind: "edit", group }),
                      },
                      isAdmin && {
                        id: "delete",
                        name: `${t.delete}…`,
                        icon: <Trash2 />,
                        danger: true,
                        onAction: () => setAsked({ kind: "delete", group }),
                      },
                    ]}
                  />
                ),
              },
            ]}
          />
        )}
      </section>
      {asked?.kind === "edit" && <GroupDialog group={asked.group} onClose={close} onChanged={changed} />}
      {asked?.kind === "delete" && (
        <Confirm
          title={t.deleteClientGroup}
          name={asked.group.id ?? ""}
          warning={t.deleteClientGroupDetail}
          action={t.delete}
          onClose={close}
          onConfirm={async () => {
            await call("DELETE /client-groups/{group_id}", { path: { group_id: asked.group.id ?? "" } });
            toast.ok(t.clientGroupDeleted);
            await changed();
          }}
        />
      )}
    </div>
  );
}

function Rules({ words }: { words: readonly string[] }) {
  if (words.length === 0) return <span className="muted">{t.noRules}</span>;
  return (
    <span className="stack none">
      {words.map((one) => (
        <span key={one}>{one}</span>
      ))}
    </span>
  );
}
