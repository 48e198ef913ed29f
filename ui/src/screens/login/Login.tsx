import type { ReactNode } from "react";
import { root } from "../../api/base";
import { t } from "../../texts/en";
import { LoginForm } from "./LoginForm";

/** The frame of everything before the login. */
export function Gate({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="gate">
      <main className="gate-form">
        <div>
          <div className="gate-brand">
            <img src={new URL("favicon.svg", root).href} alt="" />
            {t.product}
          </div>
          <h1>{title}</h1>
          {children}
        </div>
      </main>
      <aside className="gate-side" aria-hidden>
        <h2>{t.heroTitle}</h2>
        <p>{t.heroText}</p>
        <Picture />
      </aside>
    </div>
  );
}

/** Machines that dial out to the server in the middle. */
function Picture() {
  const machines = [
    [70, 60],
    [70, 150],
    [70, 240],
  ];
  return (
    <svg viewBox="0 0 520 300" fill="none" stroke="#4fd6c4" strokeWidth="1.5">
      {machines.map(([x = 0, y = 0]) => (
        <g key={y}>
          <rect x={x - 36} y={y - 24} width="72" height="48" rx="9" fill="#10302f" />
          <path d={`M${x - 18} ${y - 7}h20M${x - 18} ${y + 5}h34`} strokeLinecap="round" opacity=".7" />
          <path d={`M${x + 36} ${y}C${x + 110} ${y} ${190} 150 226 150`} strokeDasharray="4 5" opacity=".85" />
        </g>
      ))}
      <path d="M150 20v260" stroke="#e8b04a" strokeDasharray="2 7" opacity=".6" strokeLinecap="round" />
      <rect x="226" y="112" width="76" height="76" rx="20" fill="#0d7d74" stroke="none" />
      <path
        d="M250 168v-36h20a12 12 0 0 1 4 23l10 13"
        stroke="#fff"
        strokeWidth="5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <circle cx="250" cy="168" r="5" fill="#8ff0d8" stroke="none" />
      <path d="M302 150h92" opacity=".85" />
      <path d="m386 143 8 7-8 7" strokeLinecap="round" strokeLinejoin="round" />
      <circle cx="432" cy="134" r="15" fill="#10302f" />
      <path d="M404 180c2-18 14-26 28-26s26 8 28 26" fill="#10302f" strokeLinecap="round" />
    </svg>
  );
}

export function LoginPage() {
  return (
    <Gate title={t.signIn}>
      <LoginForm />
    </Gate>
  );
}
