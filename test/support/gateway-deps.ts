import type { GatewayDeps } from '../../src/gateway/contracts/provider-definition';
import { Dialer } from '../../src/platform/http-client/dialer';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';

/** What a gateway under test may use: sockets reach loopback only, and further services are beside the base URL, `/<name>`. */
export function gatewayDeps(deps: Pick<GatewayDeps, 'http' | 'baseUrl'> & Partial<GatewayDeps>): GatewayDeps {
  return {
    furtherUrl: (name) => `${deps.baseUrl}/${name}`,
    dialer: new Dialer(new SsrfGuard(['127.0.0.0/8', '::1/128'])),
    ...deps,
  };
}
