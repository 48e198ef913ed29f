import { useQuery } from "@tanstack/react-query";
import { call } from "../../api/client";
import { ADMINISTRATORS } from "../../api/me";
import { TagField } from "../../kit/field";
import { t } from "../../texts/en";

/** The names of groups there are, whatever the source of users. */
export function useGroupNames(): string[] {
  const { data } = useQuery({
    queryKey: ["users"],
    queryFn: async () => (await call("GET /users")).data,
    retry: false,
  });
  const names = new Set(data?.flatMap((user) => user.groups ?? []) ?? []);
  names.delete(ADMINISTRATORS);
  return [...names].sort();
}

export function AccessGroups({
  groups,
  onChange,
}: {
  groups: readonly string[];
  onChange: (groups: string[]) => void;
}) {
  return <TagField label={t.accessGroups} values={groups} onChange={onChange} suggestions={useGroupNames()} />;
}
