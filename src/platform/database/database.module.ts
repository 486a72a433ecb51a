import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { LOGGER, type Logger } from '../../kernel/logger';
import { ChangeFeed } from './change-feed';
import { dataSourceOptions } from './data-source';
import { Database } from './database';

/** Decides how PostgreSQL is reached. Owns the pool and the two scopes; knows no table. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => ({
        ...dataSourceOptions({
          url: config.databaseUrl!,
          poolSize: config.databasePool,
          applicationName: `unimsg-${config.role}`,
        }),
        autoLoadEntities: true,
        retryAttempts: 5,
        retryDelay: 1_000,
      }),
    }),
  ],
  providers: [
    { provide: Database, inject: [DataSource], useFactory: (dataSource: DataSource) => new Database(dataSource) },
    {
      provide: ChangeFeed,
      inject: [APP_CONFIG, LOGGER],
      useFactory: (config: AppConfig, logger: Logger) => new ChangeFeed(config.databaseUrl!, logger),
    },
  ],
  exports: [Database, ChangeFeed],
})
export class DatabaseModule {}
