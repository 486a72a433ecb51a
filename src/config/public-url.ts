/**
 * Where providers reach this service: `UNIMSG_PUBLIC_URL`, or the address that the HTTP server got. Set once, when the server listens.
 * Without trailing slash.
 */
export class PublicUrl {
  private url: string | undefined;

  constructor(configured: string | undefined) {
    this.url = configured;
  }

  /** Tells the listening address; a configured URL wins. */
  listening(address: string): void {
    this.url ??= address;
  }

  get(): string {
    if (this.url === undefined) throw new Error('The public URL is not known before the HTTP server listens');
    return this.url;
  }
}
