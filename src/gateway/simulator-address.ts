/**
 * Where the simulator's stand-ins listen. The address is known only once the HTTP server listens, so it is told then and read at use.
 */
export class SimulatorAddress {
  private locate: ((providerKey: string) => string) | undefined;
  private sockets: ReadonlyMap<string, number> = new Map();

  /** @param enabled whether providers are replaced by their stand-ins at all */
  constructor(private readonly enabled: boolean) {}

  /**
   * @param locate tells where each provider's stand-in is; no trailing slash
   * @param sockets TCP ports of the stand-ins that do not speak HTTP, by provider key
   */
  listening(locate: (providerKey: string) => string, sockets: ReadonlyMap<string, number> = new Map()): void {
    this.locate = locate;
    this.sockets = sockets;
  }

  /** TCP port on loopback of a stand-in that does not speak HTTP; undefined when there is none. */
  socket(providerKey: string): number | undefined {
    return this.sockets.get(providerKey);
  }

  /**
   * The stand-in's base URL; undefined when the simulator is off.
   * @throws Error before the address is known: calling the real provider then would spend real money
   */
  url(providerKey: string): string | undefined {
    if (!this.enabled) return undefined;
    if (!this.locate)
      throw new Error('the address of the simulator is not known yet; read baseUrl when a call is made');
    return this.locate(providerKey);
  }
}
