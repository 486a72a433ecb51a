import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { LOGGER, type Logger } from '../../kernel/logger';
import { ChangeFeed } from './change-feed';
import { createDataSource, dataSourceOptions } from './data-source';
import { Database } from './database';

const HOT_DATA_SOURCE = Symbol('HotDataSource');

/** Decides how PostgreSQL is reached. Owns the pool and the two scopes; knows no table. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => ({
        ...dataSourceOptions({
          url: config.databaseUrl!,
          poolSize: config.databasePool - hotPoolSize(config),
          applicationName: `unimsg-${config.role}`,
        }),
        autoLoadEntities: true,
        retryAttempts: 5,
        retryDelay: 1_000,
      }),
    }),
  ],
  providers: [
    {
      provide: HOT_DATA_SOURCE,
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) =>
        createDataSource({
          url: config.databaseUrl!,
          poolSize: hotPoolSize(config),
          applicationName: `unimsg-${config.role}-hot`,
          hot: true,
        }).initialize(),
    },
    {
      provide: Database,
      inject: [DataSource, HOT_DATA_SOURCE],
      useFactory: (dataSource: DataSource, hot: DataSource) => new Database(dataSource, hot),
    },
    {
      provide: ChangeFeed,
      inject: [APP_CONFIG, LOGGER],
      useFactory: (config: AppConfig, logger: Logger) => new ChangeFeed(config.databaseUrl!, logger),
    },
  ],
  exports: [Database, ChangeFeed],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(HOT_DATA_SOURCE) private readonly hot: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    await this.hot.destroy();
  }
}

/** Half of the connections: a slow list or report must not make the message path wait. */
function hotPoolSize(config: AppConfig): number {
  return Math.floor(config.databasePool / 2);
}
