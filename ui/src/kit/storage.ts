import { useState } from "react";
import { root } from "../api/base";

/** What this browser remembers for the person in front of it: looks, never secrets. */
export function remembered<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`rport:${root.pathname}:${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`rport:${root.pathname}:${key}`, JSON.stringify(value));
  } catch {
    // Full or forbidden: it is forgotten, which harms nobody.
  }
}

export function useRemembered<T>(key: string, otherwise: T): [T, (value: T) => void] {
  const [value, setValue] = useState(() => remembered(key, otherwise));
  return [
    value,
    (next) => {
      setValue(next);
      remember(key, next);
    },
  ];
}
