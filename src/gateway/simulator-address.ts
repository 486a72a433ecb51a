/**
 * Where the simulator's stand-ins listen. The address is known only once the HTTP server listens, so it is told then and read at use.
 */
export class SimulatorAddress {
  private locate: ((providerKey: string) => string) | undefined;

  /** @param enabled whether providers are replaced by their stand-ins at all */
  constructor(private readonly enabled: boolean) {}

  /** Tells where each provider's stand-in is; no trailing slash. */
  listening(locate: (providerKey: string) => string): void {
    this.locate = locate;
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
