import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Ban, CirclePlus, KeyRound, Pencil, RotateCw, SearchX, Trash2 } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { containing, listParams } from "../../api/list";
import { useStatus } from "../../api/me";
import type { ClientAuth } from "../../api/schema";
import { Button } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { SearchField } from "../../kit/field";
import { MoreMenu } from "../../kit/menu";
import { Failed, Loading, Notice, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { AddDialog, EditDialog, RotateDialog } from "./dialogs";

const PAGE = 100;

type Asked = { kind: "add" } | { kind: "rotate" | "edit" | "delete"; item: ClientAuth };

export function Credentials() {
  const [search, setSearch] = useState("");
  const [asked, setAsked] = useState<Asked | null>(null);
  const text = useDeferredValue(search);
  const { data: status } = useStatus();
  const queries = useQueryClient();
  const list = useInfiniteQuery({
    queryKey: ["credentials", text],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      call("GET /clients-auth", {
        query: listParams({ filter: { id: containing(text) }, limit: PAGE, offset: pageParam }),
      }),
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.data.length, 0);
      return loaded < last.meta.count ? loaded : undefined;
    },
    placeholderData: (before) => before,
  });
  const isFixed = status?.clients_auth_source === "Static Credentials";
  const isReadOnly = isFixed || (status !== undefined && status.clients_auth_mode !== "Read Write");
  const items = list.data?.pages.flatMap((page) => page.data);
  const close = () => setAsked(null);
  const changed = () => queries.invalidateQueries({ queryKey: ["credentials"] });

  const toggle = async (item: ClientAuth) => {
    try {
      const path = { client_auth_id: item.id };
      await call("PUT /clients-auth/{client_auth_id}", { path, body: { disabled: !item.disabled } });
      toast.ok(item.disabled ? t.enabledToast : t.disabledToast);
      await changed();
    } catch (error) {
      toast.bad(error);
    }
  };

  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.credentials}</h1>
        {list.data && <span className="count">{list.data.pages[0]?.meta.count}</span>}
        <div className="actions">
          {!isReadOnly && (
            <Button kind="primary" icon={<CirclePlus />} onPress={() => setAsked({ kind: "add" })}>
              {t.addCredentials}
            </Button>
          )}
        </div>
      </header>
      <p className="page-intro">{t.credentialsIntro}</p>
      {isReadOnly && <Notice>{isFixed ? t.credentialsStatic : t.credentialsReadOnly}</Notice>}
      <div className="toolbar">
        <SearchField label={t.searchCredentials} value={search} onChange={setSearch} />
      </div>
      <section className="panel">
        {list.error ? (
          <Failed error={list.error} retry={() => void list.refetch()} />
        ) : !items ? (
          <Loading />
        ) : items.length === 0 ? (
          text ? (
            <State icon={<SearchX className="mark" aria-hidden />} title={t.noMatch} />
          ) : (
            <State icon={<KeyRound className="mark" aria-hidden />} title={t.noCredentials}>
              {t.noCredentialsDetail}
            </State>
          )
        ) : (
          <div className="table-wrap">
            <table className="table cards">
              <thead>
                <tr>
                  <th>{t.id}</th>
                  <th>{t.state}</th>
                  <th>{t.usedBy}</th>
                  <th>{t.lastUsed}</th>
                  <th>{t.expires}</th>
                  <th>{t.comment}</th>
                  <th>
                    <span className="hidden-visually">{t.moreActions}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((item) => (
                  <tr key={item.id}>
                    <td className="name break">{item.id}</td>
                    <td data-label={t.state}>
                      <StateBadge item={item} />
                    </td>
                    <td data-label={t.usedBy}>{t.usedByClients(item.num_clients_connected, item.num_clients)}</td>
                    <td data-label={t.lastUsed}>
                      <Time at={item.last_used_at} empty={t.never} />
                    </td>
                    <td data-label={t.expires}>
                      <Time at={item.expires_at} empty={t.never} />
                    </td>
                    <td data-label={t.comment} className="muted break">
                      {item.comment || "–"}
                    </td>
                    <td className="actions">
                      {!isReadOnly && (
                        <MoreMenu
                          label={`${t.moreActions}: ${item.id}`}
                          entries={[
                            {
                              id: "rotate",
                              name: t.rotate,
                              icon: <RotateCw />,
                              onAction: () => setAsked({ kind: "rotate", item }),
                            },
                            {
                              id: "edit",
                              name: t.edit,
                              icon: <Pencil />,
                              onAction: () => setAsked({ kind: "edit", item }),
                            },
                            {
                              id: "disable",
                              name: item.disabled ? t.enable : t.disable,
                              icon: <Ban />,
                              onAction: () => void toggle(item),
                            },
                            {
                              id: "delete",
                              name: `${t.delete}…`,
                              icon: <Trash2 />,
                              danger: true,
                              onAction: () => setAsked({ kind: "delete", item }),
                            },
                          ]}
                        />
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {list.hasNextPage && (
          <div className="panel-body row" style={{ justifyContent: "center" }}>
            <Button busy={list.isFetchingNextPage} onPress={() => void list.fetchNextPage()}>
              {t.loadMore}
            </Button>
          </div>
        )}
      </section>
      {asked?.kind === "add" && <AddDialog onClose={close} onChanged={changed} />}
      {asked?.kind === "rotate" && <RotateDialog item={asked.item} onClose={close} onChanged={changed} />}
      {asked?.kind === "edit" && <EditDialog item={asked.item} onClose={close} onChanged={changed} />}
      {asked?.kind === "delete" && (
        <Confirm
          title={t.deleteCredentials}
          name={asked.item.id}
          warning={asked.item.num_clients > 0 ? t.deleteCredentialsBound(asked.item.num_clients) : undefined}
          action={t.delete}
          onClose={close}
          onConfirm={async () => {
            const query = asked.item.num_clients > 0 ? { force: true } : {};
            await call("DELETE /clients-auth/{client_auth_id}", { path: { client_auth_id: asked.item.id }, query });
            toast.ok(t.credentialsDeleted);
            await changed();
          }}
        >
          <p>{t.deleteCredentialsDetail}</p>
        </Confirm>
      )}
    </div>
  );
}

function StateBadge({ item }: { item: ClientAuth }) {
  if (item.disabled) return <span className="badge bad">{t.disabled}</span>;
  if (item.expires_at && new Date(item.expires_at).getTime() < Date.now()) {
    return <span className="badge warn">{t.expired}</span>;
  }
  return <span className="badge ok">{t.active}</span>;
}
