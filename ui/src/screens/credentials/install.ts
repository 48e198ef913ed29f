/** One word of a shell line. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export interface Install {
  server: string;
  fingerprint: string;
  id: string;
  password: string;
  name?: string;
}

/**
 * The line that connects a machine. The credentials stand in the environment, not in the arguments that every user of
 * the machine can see.
 */
export function runCommand({ server, fingerprint, id, password, name }: Install): string {
  const named = name ? ` --name ${quoted(name)}` : "";
  return `RPORT_AUTH=${quoted(`${id}:${password}`)} rport --fingerprint ${quoted(fingerprint)}${named} ${quoted(server)}`;
}

/** Writes the agent's configuration, then installs and starts it as a service. */
export function serviceCommand({ server, fingerprint, id, password, name }: Install): string {
  const lines = [
    "[client]",
    `server = ${JSON.stringify(server)}`,
    `fingerprint = ${JSON.stringify(fingerprint)}`,
    `auth = ${JSON.stringify(`${id}:${password}`)}`,
    ...(name ? [`name = ${JSON.stringify(name)}`] : []),
    'data_dir = "/var/lib/rport"',
  ];
  return [
    "id rport >/dev/null 2>&1 || sudo useradd --system --home-dir /var/lib/rport --create-home rport",
    "sudo install -d -m 0755 /etc/rport",
    `sudo tee /etc/rport/rport.conf >/dev/null <<'RPORT'\n${lines.join("\n")}\nRPORT`,
    "sudo chown root:rport /etc/rport/rport.conf && sudo chmod 0640 /etc/rport/rport.conf",
    "sudo rport --service install --config /etc/rport/rport.conf",
    "sudo rport --service start",
  ].join("\n");
}

/** Where agents reach this server, as far as it knows. */
export function serverAddress(connectUrls: readonly string[] | string | null | undefined): string {
  const first = [connectUrls ?? []].flat()[0];
  return first || `${location.protocol}//${location.hostname}:8080`;
}
