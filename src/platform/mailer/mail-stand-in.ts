/** Where mails go while the operator has set no mail server: the simulator tells it, so that a newcomer sees them. */
export class MailStandIn {
  private known: { host: string; port: number } | undefined;

  /** @param host a name that never resolves; it is led to this port on loopback */
  listening(host: string, port: number): void {
    this.known = { host, port };
  }

  get address(): { host: string; port: number } | undefined {
    return this.known;
  }
}
