import { useCan } from "../../api/me";
import type { Kind } from "./order";

/** The kinds of orders that may be given. */
export function useKinds(): Kind[] {
  const can = useCan();
  return (["commands", "scripts"] as const).filter((one) => can(one));
}
