import { randomBytes } from 'node:crypto';
import { SecretEnvironment } from '../../src/config/secret-environment';
import { PublicUrl } from '../../src/config/public-url';
import { ManualClock } from '../../src/kernel/clock';
import { silentLogger } from '../../src/kernel/logger';
import { ConfigCredentials } from '../../src/gateway/configs/config-credentials';
import { ConfigDirectory } from '../../src/gateway/configs/config-directory';
import { ConfigLifeCycle } from '../../src/gateway/configs/config-life-cycle';
import { ConfigSecrets } from '../../src/gateway/configs/config-secrets';
import { ConfigService } from '../../src/gateway/configs/config.service';
import { ConfigSubscriber } from '../../src/gateway/configs/config-subscriber';
import { ProviderConfigEntity } from '../../src/gateway/configs/provider-config.entity';
import { SecretEntity } from '../../src/gateway/configs/secret.entity';
import { SecretResolver } from '../../src/gateway/configs/secret-resolver';
import {
  DatabaseSecrets,
  EnvironmentSecrets,
  FileSecrets,
  type SecretSource,
} from '../../src/gateway/configs/secret-sources';
import type { ProviderDefinition } from '../../src/gateway/contracts/provider-definition';
import { GatewayCalls } from '../../src/gateway/gateway-calls';
import { GatewayFactory } from '../../src/gateway/gateway-factory';
import { GatewayHealth } from '../../src/gateway/health/gateway-health';
import { CircuitBreakers } from '../../src/gateway/limits/circuit-breakers';
import { LocalRates } from '../../src/gateway/limits/gateway-rates';
import { ProviderRegistry } from '../../src/gateway/provider-registry';
import { Router } from '../../src/gateway/router';
import { GatewayRoutesEntity } from '../../src/gateway/routing/gateway-routes.entity';
import { GatewayRoutesService } from '../../src/gateway/routing/gateway-routes.service';
import { SimulatorAddress } from '../../src/gateway/simulator-address';
import { ChangeFeed } from '../../src/platform/database/change-feed';
import { AlertBook } from '../../src/platform/alerts/alert-book';
import { EventSignal, EventStore } from '../../src/platform/events/event-store';
import type { HttpClient } from '../../src/platform/http-client/http-client';
import { SecretBox } from '../../src/platform/secrets/secret-box';
import { createTestDatabase } from './test-database';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';

export const GATEWAY_ENTITIES = [ProviderConfigEntity, SecretEntity, GatewayRoutesEntity];

const NO_BUDGETS = { isEmpty: true, of: () => undefined };

const noHttp: HttpClient = {
  request: () => Promise.reject(new Error('this spec makes no HTTP call')),
};

/** The gateway layer on a real database, without Nest. */
export async function createGatewayStack(options: {
  definitions: ProviderDefinition[];
  env?: Record<string, string>;
  secretsDir?: string;
  /** Patterns of references that every tenant may name. */
  allowedRefs?: string[];
  /** Further places that references may point to. */
  sources?: SecretSource[];
}) {
  const testDatabase = await createTestDatabase({ entities: GATEWAY_ENTITIES });
  const { database, url } = testDatabase;
  const clock = new ManualClock(Date.now());
  const box = new SecretBox(`test:${randomBytes(32).toString('base64')}`);
  const registry = new ProviderRegistry();
  for (const definition of options.definitions) registry.register(definition);
  const allowed = { refs: options.allowedRefs ?? [] };
  const resolver = new SecretResolver(
    [
      new EnvironmentSecrets(new SecretEnvironment(options.env ?? {})),
      new FileSecrets(options.secretsDir),
      new DatabaseSecrets(database, box),
      ...(options.sources ?? []),
    ],
    { allowedSecretRefs: async () => allowed.refs },
  );
  const secrets = new ConfigSecrets(registry, resolver, box);
  const feed = new ChangeFeed(url);
  const directory = new ConfigDirectory(database, registry, secrets, feed);
  const events = new EventStore(new EventSignal());
  const lifeCycle = new ConfigLifeCycle(database, events, new AlertBook(events), directory, clock);
  const credentials = new ConfigCredentials(database, resolver, secrets, box);
  const circuits = new CircuitBreakers(clock, {}, () => 0);
  const gateways = new GatewayFactory(
    registry,
    { http: noHttp, clock, guard: new SsrfGuard([]) },
    {},
    new SimulatorAddress(false),
  );
  const calls = new GatewayCalls(registry, secrets, new PublicUrl('https://unimsg.example'));
  const logger = silentLogger;
  const subscriber = new ConfigSubscriber({ database, registry, directory, gateways, calls, lifeCycle, logger });
  const configs = new ConfigService({
    database,
    registry,
    directory,
    credentials,
    secrets,
    lifeCycle,
    subscriber,
    box,
    clock,
  });
  return {
    database,
    url,
    clock,
    box,
    registry,
    /** Change `refs` to grant or withdraw. */
    allowed,
    secrets,
    feed,
    directory,
    events,
    lifeCycle,
    circuits,
    gateways,
    calls,
    rates: new LocalRates(clock),
    health: new GatewayHealth(gateways, calls, clock),
    subscriber,
    configs,
    routes: new GatewayRoutesService(database, registry, directory, configs, clock),
    router: new Router(directory, circuits, { configUsedUp: () => undefined, enter: async () => true }, NO_BUDGETS),
    logger,
    async close() {
      await feed.onApplicationShutdown();
      await testDatabase.drop();
    },
  };
}

export type GatewayStack = Awaited<ReturnType<typeof createGatewayStack>>;
