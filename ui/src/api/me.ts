import { useQuery } from "@tanstack/react-query";
import { call } from "./client";
import type { EffectivePermissions } from "./schema";

export type Permission = keyof EffectivePermissions | "admin";

export const ADMINISTRATORS = "Administrators";

export function useMe() {
  return useQuery({ queryKey: ["me"], queryFn: async () => (await call("GET /me")).data, staleTime: 60_000 });
}

export function useStatus() {
  return useQuery({ queryKey: ["status"], queryFn: async () => (await call("GET /status")).data, staleTime: 60_000 });
}

/** Whether who is logged in may do it. What may not be done is not offered; the server decides all the same. */
export function useCan(): (permission: Permission) => boolean {
  const { data } = useMe();
  return (permission) => {
    if (!data) return false;
    const isAdmin = data.groups?.includes(ADMINISTRATORS) ?? false;
    return permission === "admin" ? isAdmin : isAdmin || data.effective_user_permissions[permission];
  };
}
