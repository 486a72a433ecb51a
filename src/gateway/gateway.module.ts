import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Redis } from 'ioredis';
import { APP_CONFIG, type AppConfig } from '../config/app-config';
import { PublicUrl } from '../config/public-url';
import { SecretEnvironment } from '../config/secret-environment';
import { CLOCK, type Clock } from '../kernel/clock';
import { LOGGER, type Logger } from '../kernel/logger';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database } from '../platform/database/database';
import { AlertBook } from '../platform/alerts/alert-book';
import { EventStore } from '../platform/events/event-store';
import { HTTP_CLIENT, type HttpClient } from '../platform/http-client/http-client';
import { HttpClientModule } from '../platform/http-client/http-client.module';
import { SsrfGuard } from '../platform/http-client/ssrf-guard';
import { SecretBox } from '../platform/secrets/secret-box';
import { TenantDirectory } from '../tenancy/tenant-directory';
import { BudgetDirectory } from './budget/budget-directory';
import { BUDGET_PROVIDERS } from './budget/budget.providers';
import { BudgetKeeper } from './budget/budget-keeper';
import { OutcomeRecorder } from './budget/outcome-recorder';
import { AzureKeyVaultSecrets } from './configs/azure-key-vault-secrets';
import { ConfigCredentials } from './configs/config-credentials';
import { configControllers } from './configs/config.controller';
import { ConfigDirectory } from './configs/config-directory';
import { ConfigLifeCycle } from './configs/config-life-cycle';
import { ConfigPresenter } from './configs/config.presenter';
import { ConfigSecrets } from './configs/config-secrets';
import { ConfigService } from './configs/config.service';
import { ConfigSubscriber } from './configs/config-subscriber';
import { ProviderConfigEntity } from './configs/provider-config.entity';
import { SecretEntity } from './configs/secret.entity';
import { SecretResolver } from './configs/secret-resolver';
import { DatabaseSecrets, EnvironmentSecrets, FileSecrets } from './configs/secret-sources';
import { VaultSecrets } from './configs/vault-secrets';
import type { ProviderDefinition } from './contracts/provider-definition';
import { GatewayCalls } from './gateway-calls';
import { GatewayFactory, gatewayToken } from './gateway-factory';
import { ConfigProber } from './configs/config-prober';
import { GatewayHealth } from './health/gateway-health';
import { GatewayStates } from './limits/gateway-states';
import { CircuitBreakers } from './limits/circuit-breakers';
import { GatewayRates, LocalRates } from './limits/gateway-rates';
import { SharedRates } from './limits/shared-rates';
import { ProviderRegistry } from './provider-registry';
import { QUOTA_PROVIDERS } from './quotas/quota.providers';
import { QuotaLedger } from './quotas/quota-ledger';
import { QuotaReader } from './quotas/quota-reader';
import { QuotasController } from './quotas/quotas.controller';
import { Router } from './router';
import { GatewayRoutesEntity } from './routing/gateway-routes.entity';
import { GatewaysController } from './routing/gateways.controller';
import { GatewayRoutesService } from './routing/gateway-routes.service';
import { LaneOwnership } from './sessions/lane-ownership';
import { ReportOutlet } from './sessions/report-outlet';
import { SessionKeeper } from './sessions/session-keeper';
import { SessionLeases } from './sessions/session-leases';
import { SessionStates } from './sessions/session-states';
import { SimulatorAddress } from './simulator-address';
import { UsageOutlet } from './usage/usage-outlet';

/** DI token of the connection that shared rate limits use; undefined without `REDIS_URL`. */
export const RATES_REDIS = Symbol('RatesRedis');

const REGISTRY: Provider[] = [
  ProviderRegistry,
  ReportOutlet,
  {
    provide: SimulatorAddress,
    inject: [APP_CONFIG],
    useFactory: (config: AppConfig) => new SimulatorAddress(config.simulator),
  },
  {
    provide: GatewayFactory,
    inject: [ProviderRegistry, HTTP_CLIENT, SsrfGuard, APP_CONFIG, SimulatorAddress, CLOCK, ReportOutlet],
    useFactory: (
      registry: ProviderRegistry,
      http: HttpClient,
      guard: SsrfGuard,
      config: AppConfig,
      simulator: SimulatorAddress,
      clock: Clock,
      reports: ReportOutlet,
    ) => new GatewayFactory(registry, { http, guard, clock, reports }, config.baseUrls, simulator),
  },
];

const CONFIGS: Provider[] = [
  { provide: SecretEnvironment, useFactory: () => SecretEnvironment.ofProcess() },
  {
    provide: SecretResolver,
    inject: [Database, SecretBox, SecretEnvironment, APP_CONFIG, TenantDirectory, HTTP_CLIENT, CLOCK],
    useFactory: (
      database: Database,
      box: SecretBox,
      environment: SecretEnvironment,
      config: AppConfig,
      tenants: TenantDirectory,
      http: HttpClient,
      clock: Clock,
    ) =>
      new SecretResolver(
        [
          new EnvironmentSecrets(environment),
          new FileSecrets(config.secretsDir),
          new VaultSecrets(config.vault, http, clock),
          new AzureKeyVaultSecrets(config.azureKeyVault, http, clock),
          new DatabaseSecrets(database, box),
        ],
        tenants,
      ),
  },
  {
    provide: ConfigSecrets,
    inject: [ProviderRegistry, SecretResolver, SecretBox],
    useFactory: (registry: ProviderRegistry, resolver: SecretResolver, box: SecretBox) =>
      new ConfigSecrets(registry, resolver, box),
  },
  {
    provide: ConfigCredentials,
    inject: [Database, SecretResolver, ConfigSecrets, SecretBox],
    useFactory: (database: Database, resolver: SecretResolver, secrets: ConfigSecrets, box: SecretBox) =>
      new ConfigCredentials(database, resolver, secrets, box),
  },
  {
    provide: ConfigDirectory,
    inject: [Database, ProviderRegistry, ConfigSecrets, ChangeFeed],
    useFactory: (database: Database, registry: ProviderRegistry, secrets: ConfigSecrets, feed: ChangeFeed) =>
      new ConfigDirectory(database, registry, secrets, feed),
  },
  {
    provide: ConfigLifeCycle,
    inject: [Database, EventStore, AlertBook, ConfigDirectory, CLOCK],
    useFactory: (database: Database, events: EventStore, alerts: AlertBook, directory: ConfigDirectory, clock: Clock) =>
      new ConfigLifeCycle(database, events, alerts, directory, clock),
  },
  {
    provide: ConfigSubscriber,
    inject: [Database, ProviderRegistry, ConfigDirectory, GatewayFactory, GatewayCalls, ConfigLifeCycle, LOGGER],
    useFactory: (
      database: Database,
      registry: ProviderRegistry,
      directory: ConfigDirectory,
      gateways: GatewayFactory,
      calls: GatewayCalls,
      lifeCycle: ConfigLifeCycle,
      logger: Logger,
    ) => new ConfigSubscriber({ database, registry, directory, gateways, calls, lifeCycle, logger }),
  },
  {
    provide: ConfigService,
    inject: [
      Database,
      ProviderRegistry,
      ConfigDirectory,
      ConfigCredentials,
      ConfigSecrets,
      ConfigLifeCycle,
      ConfigSubscriber,
      SecretBox,
      CLOCK,
    ],
    useFactory: (
      database: Database,
      registry: ProviderRegistry,
      directory: ConfigDirectory,
      credentials: ConfigCredentials,
      secrets: ConfigSecrets,
      lifeCycle: ConfigLifeCycle,
      subscriber: ConfigSubscriber,
      box: SecretBox,
      clock: Clock,
    ) => new ConfigService({ database, registry, directory, credentials, secrets, lifeCycle, subscriber, box, clock }),
  },
  {
    provide: UsageOutlet,
    useFactory: () => new UsageOutlet(),
  },
  {
    provide: ConfigPresenter,
    inject: [
      ProviderRegistry,
      UsageOutlet,
      TenantDirectory,
      GatewayHealth,
      ConfigLifeCycle,
      ConfigSubscriber,
      PublicUrl,
      CLOCK,
    ],
    useFactory: (
      registry: ProviderRegistry,
      usage: UsageOutlet,
      tenants: TenantDirectory,
      health: GatewayHealth,
      lifeCycle: ConfigLifeCycle,
      subscriber: ConfigSubscriber,
      publicUrl: PublicUrl,
      clock: Clock,
    ) => new ConfigPresenter({ registry, usage, tenants, health, lifeCycle, subscriber, publicUrl, clock }),
  },
];

const CALLS: Provider[] = [
  {
    provide: CircuitBreakers,
    inject: [CLOCK],
    useFactory: (clock: Clock) => new CircuitBreakers(clock),
  },
  {
    provide: RATES_REDIS,
    inject: [APP_CONFIG, LOGGER],
    useFactory: (config: AppConfig, logger: Logger) => config.redisUrl && connectRedis(config.redisUrl, logger),
  },
  {
    provide: GatewayRates,
    inject: [RATES_REDIS, CLOCK, LOGGER],
    useFactory: (redis: Redis | undefined, clock: Clock, logger: Logger) =>
      redis ? new SharedRates(redis, clock, logger) : new LocalRates(clock),
  },
  {
    provide: GatewayCalls,
    inject: [ProviderRegistry, ConfigSecrets, PublicUrl],
    useFactory: (registry: ProviderRegistry, secrets: ConfigSecrets, publicUrl: PublicUrl) =>
      new GatewayCalls(registry, secrets, publicUrl),
  },
  {
    provide: Router,
    inject: [ConfigDirectory, CircuitBreakers, QuotaLedger, BudgetDirectory],
    useFactory: (
      directory: ConfigDirectory,
      circuits: CircuitBreakers,
      quotas: QuotaLedger,
      budgets: BudgetDirectory,
    ) => new Router(directory, circuits, quotas, budgets),
  },
  {
    provide: GatewayRoutesService,
    inject: [Database, ProviderRegistry, ConfigDirectory, ConfigService, CLOCK],
    useFactory: (
      database: Database,
      registry: ProviderRegistry,
      directory: ConfigDirectory,
      configs: ConfigService,
      clock: Clock,
    ) => new GatewayRoutesService(database, registry, directory, configs, clock),
  },
];

const SESSIONS: Provider[] = [
  {
    provide: SessionLeases,
    inject: [Database],
    useFactory: (database: Database) => new SessionLeases(database),
  },
  {
    provide: LaneOwnership,
    inject: [ProviderRegistry],
    useFactory: (registry: ProviderRegistry) => new LaneOwnership(registry),
  },
  {
    provide: SessionStates,
    inject: [ProviderRegistry, LaneOwnership, SessionLeases],
    useFactory: (registry: ProviderRegistry, ownership: LaneOwnership, leases: SessionLeases) =>
      new SessionStates(registry, ownership, leases),
  },
  {
    provide: SessionKeeper,
    inject: [
      SessionLeases,
      LaneOwnership,
      ProviderRegistry,
      ConfigDirectory,
      GatewayFactory,
      GatewayCalls,
      ConfigLifeCycle,
      ChangeFeed,
      LOGGER,
      APP_CONFIG,
    ],
    useFactory: (
      leases: SessionLeases,
      ownership: LaneOwnership,
      registry: ProviderRegistry,
      directory: ConfigDirectory,
      gateways: GatewayFactory,
      calls: GatewayCalls,
      lifeCycle: ConfigLifeCycle,
      feed: ChangeFeed,
      logger: Logger,
      { embedded }: AppConfig,
    ) =>
      new SessionKeeper({
        leases,
        ownership,
        registry,
        directory,
        gateways,
        calls,
        lifeCycle,
        feed,
        logger,
        embedded,
      }),
  },
];

const HEALTH: Provider[] = [
  {
    provide: GatewayHealth,
    inject: [GatewayFactory, GatewayCalls, CLOCK, SessionStates],
    useFactory: (gateways: GatewayFactory, calls: GatewayCalls, clock: Clock, sessions: SessionStates) =>
      new GatewayHealth(gateways, calls, clock, sessions),
  },
  {
    provide: GatewayStates,
    inject: [Database, CircuitBreakers, GatewayRates, CLOCK, LOGGER],
    useFactory: (database: Database, circuits: CircuitBreakers, rates: GatewayRates, clock: Clock, logger: Logger) =>
      new GatewayStates(database, circuits, rates, clock, logger),
  },
  {
    provide: ConfigProber,
    inject: [
      Database,
      ConfigDirectory,
      GatewayHealth,
      ConfigLifeCycle,
      ConfigSubscriber,
      ChangeFeed,
      CLOCK,
      LOGGER,
      APP_CONFIG,
    ],
    useFactory: (
      database: Database,
      directory: ConfigDirectory,
      health: GatewayHealth,
      lifeCycle: ConfigLifeCycle,
      subscriber: ConfigSubscriber,
      feed: ChangeFeed,
      clock: Clock,
      logger: Logger,
      config: AppConfig,
    ) =>
      new ConfigProber(
        { database, directory, health, lifeCycle, subscriber, feed, clock, logger },
        config.configProbeSeconds,
      ),
  },
];

/**
 * Decides which provider account a message may take, and how it is called: configs and their life cycle, sealed credentials, routes,
 * circuits and rates. Owns the tables of configs, secrets and routes. Must not know messages' states, nor what any one provider does.
 */
@Global()
@Module({
  imports: [HttpClientModule, TypeOrmModule.forFeature([ProviderConfigEntity, SecretEntity, GatewayRoutesEntity])],
  controllers: [GatewaysController, QuotasController],
  providers: [...REGISTRY, ...CONFIGS, ...CALLS, ...QUOTA_PROVIDERS, ...BUDGET_PROVIDERS, ...SESSIONS, ...HEALTH],
  exports: [
    ProviderRegistry,
    UsageOutlet,
    SimulatorAddress,
    GatewayFactory,
    ConfigDirectory,
    ConfigLifeCycle,
    ConfigService,
    ConfigPresenter,
    GatewayRoutesService,
    CircuitBreakers,
    GatewayRates,
    GatewayCalls,
    Router,
    QuotaLedger,
    QuotaReader,
    OutcomeRecorder,
    BudgetDirectory,
    BudgetKeeper,
    GatewayStates,
    ConfigProber,
    ConfigSubscriber,
    ReportOutlet,
    LaneOwnership,
    SessionKeeper,
  ],
})
export class GatewayModule implements OnApplicationShutdown {
  constructor(@Inject(RATES_REDIS) private readonly redis: Redis | undefined) {}

  /** Registers a channel's providers: their DI tokens, and their config routes. */
  static forProviders(definitions: readonly ProviderDefinition[]): DynamicModule {
    const tokens = definitions.map((definition) => ({
      provide: gatewayToken(definition.channel, definition.key),
      inject: [ProviderRegistry, GatewayFactory],
      useFactory: (registry: ProviderRegistry, gateways: GatewayFactory) => {
        registry.register(definition);
        return gateways.create(definition.channel, definition.key);
      },
    }));
    return {
      module: GatewayProvidersModule,
      imports: [GatewayModule],
      controllers: definitions.flatMap(configControllers),
      providers: tokens,
      exports: tokens.map((token) => token.provide),
    };
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
  }
}

/** The providers of one channel, as `GatewayModule.forProviders` makes it. */
@Module({})
class GatewayProvidersModule {}

function connectRedis(url: string, logger: Logger): Redis {
  // Commands fail at once while Redis is away, and soon while it hangs: limits are then kept by each process alone.
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 1_000,
    connectionName: 'unimsg-rates',
  });
  redis.on('error', (error) => logger.debug({ err: error }, 'redis connection of rate limits failed'));
  return redis;
}
